//go:build !unix

package checks

import "time"

// lockFile does nothing where there is no flock: a lost race costs one try.
func lockFile(string, time.Duration) (unlock func()) { return func() {} }
