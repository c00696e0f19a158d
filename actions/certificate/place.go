package certificate

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// Kinds of places in which a certificate is installed.
const (
	inCombined = "combined" // one file holds both: one rename
	inFolder   = "folder"   // the paths lead through one link to a folder: the link is swapped
	inFiles    = "files"    // two files: two renames
	inNothing  = ""         // no file on this host
)

// place is where the certificate of an endpoint is installed on this host. Paths are
// resolved: a link at the end of one is not what is replaced.
type place struct {
	kind      string
	cert, key string // the same file where both are combined
	link      string // of inFolder: the link that is swapped
	to        string // of inFolder: what it pointed at, as it was written
	base      string // the folder in which ours is made
}

// Bounds of what is copied along when a folder is replaced as a whole.
const (
	folderFiles = 32
	folderBytes = 4 << 20
)

// locate finds out how the files of an endpoint can be replaced.
func locate(e *endpoint) (place, error) {
	certPath, keyPath := e.Certificate, e.Key
	if e.rot.Combined != "" {
		certPath, keyPath = e.rot.Combined, e.rot.Combined
	}
	if certPath == "" {
		return place{}, nil
	}
	fail := func(err error) (place, error) {
		return place{}, &estate.Failure{
			Kind: estate.Missing, Doing: "find the files of " + e.id, Detail: clients.Strip(err.Error(), clients.DetailLimit),
			Next: "correct the paths in warroom.yaml, or run warroom on the host that serves it, as a user who may read them",
		}
	}
	cert, err := filepath.EvalSymlinks(certPath)
	if err != nil {
		return fail(err)
	}
	key, err := filepath.EvalSymlinks(keyPath)
	if err != nil {
		return fail(err)
	}
	w := place{kind: inFiles, cert: cert, key: key, base: filepath.Dir(cert)}
	if cert == key {
		w.kind = inCombined
		return w, nil
	}
	if link, to, ok := sharedLink(certPath, keyPath, cert, key); ok {
		w.kind, w.link, w.to, w.base = inFolder, link, to, filepath.Dir(link)
	}
	return w, nil
}

// sharedLink finds the one link to a folder through which both paths lead: that of
// their parent folder, or the one that each of them, itself a link, names.
func sharedLink(certPath, keyPath, cert, key string) (link, to string, ok bool) {
	first, second := throughLink(certPath), throughLink(keyPath)
	if first == "" || first != second || filepath.Dir(cert) != filepath.Dir(key) {
		return "", "", false
	}
	to, err := os.Readlink(first)
	if err != nil {
		return "", "", false
	}
	if real, err := filepath.EvalSymlinks(first); err != nil || real != filepath.Dir(cert) {
		return "", "", false
	}
	if _, err := folderContent(filepath.Dir(cert)); err != nil {
		return "", "", false
	}
	return first, to, true
}

// throughLink is the link to a folder by which a path leads to its file.
func throughLink(path string) string {
	if isLink(filepath.Dir(path)) {
		return filepath.Dir(path)
	}
	to, err := os.Readlink(path)
	if err != nil || filepath.IsAbs(to) || !strings.ContainsRune(to, filepath.Separator) {
		return ""
	}
	if dir := filepath.Dir(filepath.Join(filepath.Dir(path), to)); isLink(dir) {
		return dir
	}
	return ""
}

func isLink(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// folderContent are the files of a folder that can be replaced as a whole.
func folderContent(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > folderFiles {
		return nil, fmt.Errorf("%s holds more than %d files", dir, folderFiles)
	}
	var names []string
	var size int64
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			return nil, fmt.Errorf("%s holds more than plain files", dir)
		}
		size += info.Size()
		names = append(names, e.Name())
	}
	if size > folderBytes {
		return nil, fmt.Errorf("%s holds more than %d MiB", dir, folderBytes>>20)
	}
	return names, nil
}

// files are those that are replaced.
func (w place) files() []string {
	switch w.kind {
	case inNothing:
		return nil
	case inCombined:
		return []string{w.cert}
	}
	return []string{w.key, w.cert}
}

// next is the folder that takes the place of the one behind the link, and how the
// link names it.
func (w place) next(tag string) (dir, to string) {
	old := filepath.Dir(w.cert)
	name := filepath.Base(old)
	dots := len(name) - len(strings.TrimLeft(name, "."))
	name = name[:dots] + "warroom-" + tag
	dir = filepath.Join(filepath.Dir(old), name)
	if filepath.IsAbs(w.to) {
		return dir, dir
	}
	return dir, filepath.Join(filepath.Dir(w.to), name)
}

// permitted says before anything is made whether the files can be replaced by us.
func (w place) permitted(e *endpoint) error {
	doing := "see whether the files of " + e.id + " can be replaced"
	folders := map[string]bool{w.base: true}
	for _, path := range w.files() {
		folders[filepath.Dir(path)] = true
		_, m, err := readFile(path)
		if err != nil {
			return &estate.Failure{Kind: estate.Denied, Doing: doing, Detail: clients.Strip(err.Error(), clients.DetailLimit), Next: "run warroom as a user who may read and replace it"}
		}
		if !mayOwn(m) {
			return &estate.Failure{Kind: estate.Denied, Doing: doing, Detail: path + " belongs to another user, and only root can keep that so", Next: "run warroom as that user or as root"}
		}
	}
	if w.kind == inFolder {
		delete(folders, filepath.Dir(w.cert))
		folders[filepath.Dir(filepath.Dir(w.cert))] = true
	}
	for dir := range folders {
		if err := mayWrite(dir); err != nil {
			return &estate.Failure{Kind: estate.Denied, Doing: doing, Detail: "no file can be made in " + dir + ": " + err.Error(), Next: "run warroom as a user who may write there"}
		}
	}
	return nil
}

// window says in the plan what is between two renames.
func (w place) window() string {
	if w.kind != inFiles {
		return ""
	}
	return "the key is renamed first and the certificate right after it; a server that happens to read its files between the two finds a key that does not match. " +
		"One combined file, or a folder behind a link, has no such moment"
}
