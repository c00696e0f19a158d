//go:build !linux

package lab

import "syscall"

// attributes put a child in its own process group and as its own user. Only
// Linux can end it when we are killed.
func attributes(as *account, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential()}
}
