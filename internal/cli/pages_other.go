//go:build !linux

package cli

// forgetPages does nothing where there is no need.
func forgetPages(bool) {}
