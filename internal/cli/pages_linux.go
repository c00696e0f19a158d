package cli

import (
	"bufio"
	"fmt"
	"os"
	"strings"
	"syscall"
)

const (
	// piece is how much of the program comes back around a page that is needed: a
	// multiple of the page size of every system that we run on.
	piece = 16 << 10
	// large is the size above which a mapping of the program is divided into pieces;
	// one that was has none of it.
	large = 1 << 20
)

// forgetPages gives back the pages of the program that were needed once: the
// initialisation of all that is linked touches most of the file, and what is mapped
// counts as ours for as long as we run. They are read-only and unchanged; those that
// are needed still come back from the page cache, some hundred of them within
// milliseconds. Where it does not work, they stay.
//
// With few, what comes back from then on comes in small pieces: the kernel maps up
// to 64 KiB around the page that was needed, but never beyond the mapping, so that
// pieces of the program that differ in their advice bound it.
func forgetPages(few bool) {
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
			for at := from; few && to-from > large && at+piece <= to; at += 2 * piece {
				_, _, _ = syscall.RawSyscall(syscall.SYS_MADVISE, at, piece, uintptr(syscall.MADV_RANDOM))
			}
		}
	}
}
