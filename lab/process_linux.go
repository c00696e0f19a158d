package lab

import "syscall"

// attributes put a child in its own process group, as its own user, and have
// the kernel send it signal when we die.
func attributes(as *account, signal syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: as.credential(), Pdeathsig: signal}
}
