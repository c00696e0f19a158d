//go:build !unix

package checks

// lockFile does nothing where there is no flock: a lost race costs one try.
func lockFile(string) (unlock func()) { return func() {} }
