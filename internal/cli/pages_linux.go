package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

// forgetPages gives back the pages of the program that were needed once: the
// initialisation of all that is linked touches most of the file, and what is mapped
// counts as ours for as long as we run. They are read-only and unchanged; those that
// are needed still come back from the page cache, some hundred of them within
// milliseconds. Where it does not work, they stay.
func forgetPages() {
	self, err := os.Readlink("/proc/self/exe")
	if err != nil {
		return
	}
	file, err := os.Open("/proc/self/maps")
	if err != nil {
		return
	}
	defer func() { _ = file.Close() }()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		var from, to uintptr
		var may string
		if n, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &may); err != nil || n != 3 {
			continue
		}
		// Private, never written to, and of the program's own file.
		if may[1] != 'w' && strings.HasSuffix(may, "p") && strings.HasSuffix(lines.Text(), " "+self) {
			_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, from, to-from, uintptr(syscall.MADV_DONTNEED))
		}
	}
}
