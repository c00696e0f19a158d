//go:build !unix

package certificate

import (
	"io/fs"
	"os"
	"os/exec"
)

// This system keeps no owner and mode in the sense of Unix: new files have those of
// their folder.

func metaOf(info fs.FileInfo) meta { return meta{Mode: info.Mode().Perm(), UID: -1, GID: -1} }

func own(*os.File, meta) error { return nil }

func mayOwn(meta) bool { return true }

func mayWrite(string) error { return nil }

func privateDir(fs.FileInfo) bool { return true }

// syncDir has nothing to do: a folder cannot be flushed here.
func syncDir(string) error { return nil }

func apart(*exec.Cmd) {}
