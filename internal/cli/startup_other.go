//go:build !linux

package cli

// forgetStartup does nothing where there is no need.
func forgetStartup() {}
