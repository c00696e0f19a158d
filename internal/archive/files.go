package archive

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// runbookFile is the copy of the runbook within an incident's folder.
const runbookFile = "runbook.yaml"

// writeNew writes a file that must not exist, for its owner alone, and returns
// when it is durable.
func writeNew(path string, data []byte) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(data)
	if err == nil {
		err = file.Sync()
	}
	return errors.Join(err, file.Close())
}

// unwritable reports whether err says that a place may be read and not written.
func unwritable(err error) bool {
	return errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS)
}
