//go:build unix

package certificate

import (
	"io/fs"
	"os"
	"os/exec"
	"syscall"
)

// metaOf is what a file keeps.
func metaOf(info fs.FileInfo) meta {
	m := meta{Mode: info.Mode().Perm(), UID: -1, GID: -1}
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		m.UID, m.GID = int(s.Uid), int(s.Gid)
	}
	return m
}

// own gives a new file its owner, where it is not that already: nobody but root may
// give files away.
func own(f *os.File, m meta) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	is := metaOf(info)
	if (m.UID < 0 || m.UID == is.UID) && (m.GID < 0 || m.GID == is.GID) {
		return nil
	}
	return f.Chown(m.UID, m.GID)
}

// mayOwn reports whether files can be given this owner by us.
func mayOwn(m meta) bool {
	euid := os.Geteuid()
	return euid == 0 || m.UID < 0 || m.UID == euid
}

// mayWrite reports whether files can be made in a folder.
func mayWrite(dir string) error { return syscall.Access(dir, 2|1) }

// privateDir reports whether nobody else may look into a folder.
func privateDir(info fs.FileInfo) bool { return info.Mode().Perm() == 0o700 }

// syncDir has the names of a folder on disk.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if closed := d.Close(); err == nil {
		err = closed
	}
	return err
}

// apart has a command and all that it starts end together.
func apart(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
