package certificate

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// fileLimit bounds a file that is read: bundles of certificates are small.
const fileLimit = 1 << 20

// meta is what a file keeps when its content is replaced.
type meta struct {
	Mode fs.FileMode `json:"mode"`
	UID  int         `json:"uid"` // -1 where the system has none
	GID  int         `json:"gid"`
}

// private is how the files are made that nobody else may read.
var private = meta{Mode: 0o600, UID: -1, GID: -1}

// changeFile makes one change to files under the permit of its context.
func changeFile(ctx context.Context, what string, do func() error) error {
	err := clients.Around(ctx, clients.Call{System: "file", Name: what, Changes: true}, do)
	if err == nil {
		return nil
	}
	var kept *clients.NotPermitted
	if errors.As(err, &kept) {
		return kept
	}
	var known *estate.Failure
	if errors.As(err, &known) {
		return known
	}
	f := &estate.Failure{Kind: estate.Refused, Doing: what, Detail: clients.Strip(plainError(err).Error(), clients.DetailLimit), Next: "see to the disk or the folder, then resume or roll back"}
	switch {
	case errors.Is(err, fs.ErrPermission):
		f.Kind, f.Next = estate.Denied, "run warroom as a user who may write there, or correct the modes, then resume"
	case ctx.Err() != nil:
		f.Kind = estate.Silent
	}
	return f
}

// plainError is an error of the system without the paths, which are told already.
func plainError(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	return err
}

// stage writes a file whole under its temporary name beside path, with its mode and
// owner, and has it on disk before it returns.
func stage(ctx context.Context, path string, data []byte, m meta) error {
	temp := temporary(path)
	return changeFile(ctx, "write "+temp, func() error {
		if err := os.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Made anew, so that nobody else has it open or linked elsewhere, and private
		// until its owner and mode are right.
		f, err := os.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = f.Write(data)
		if err == nil {
			err = own(f, m)
		}
		if err == nil {
			err = f.Chmod(m.Mode.Perm())
		}
		if err == nil {
			err = f.Sync()
		}
		if closed := f.Close(); err == nil {
			err = closed
		}
		if err != nil {
			_ = os.Remove(temp)
		}
		return err
	})
}

// swap puts what was staged in the place of path.
func swap(ctx context.Context, path string) error {
	temp := temporary(path)
	return changeFile(ctx, "rename "+temp+" to "+path, func() error {
		if err := os.Rename(temp, path); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

// put is stage and swap.
func put(ctx context.Context, path string, data []byte, m meta) error {
	if err := stage(ctx, path, data, m); err != nil {
		return err
	}
	return swap(ctx, path)
}

// temporary is the name under which the new content of path is written.
func temporary(path string) string {
	return filepath.Join(filepath.Dir(path), "."+filepath.Base(path)+".warroom-new")
}

// makeDir makes a folder that nobody else may look into.
func makeDir(ctx context.Context, path string) error {
	if info, err := os.Lstat(path); err == nil && info.IsDir() && privateDir(info) {
		return nil
	}
	return changeFile(ctx, "make the folder "+path, func() error {
		if err := os.MkdirAll(path, 0o700); err != nil {
			return err
		}
		if err := os.Chmod(path, 0o700); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

// remove takes a file or folder away; one that is not there is no error.
func remove(ctx context.Context, path string) error {
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return changeFile(ctx, "remove "+path, func() error {
		if err := os.RemoveAll(path); err != nil {
			return err
		}
		return syncDir(filepath.Dir(path))
	})
}

// readFile reads a file of a bounded size, with what it keeps. Its error names no
// content.
func readFile(path string) ([]byte, meta, error) {
	// Asked first, because opening a named pipe would wait for its writer.
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, meta{}, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, meta{}, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return nil, meta{}, err
	}
	data, err := io.ReadAll(io.LimitReader(f, fileLimit+1))
	if err == nil && len(data) > fileLimit {
		err = fmt.Errorf("%s is larger than %d KiB", path, fileLimit>>10)
	}
	return data, metaOf(info), err
}

// holds reports whether a file has this content, mode and owner.
func holds(path string, data []byte, m meta) bool {
	is, has, err := readFile(path)
	return err == nil && bytes.Equal(is, data) && has.Mode.Perm() == m.Mode.Perm() && (m.UID < 0 || has.UID == m.UID) && (m.GID < 0 || has.GID == m.GID)
}

// there reports whether something is at path, itself and not what it points at.
func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}
