package certificate

import (
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// trusted says why what a journal tells of an earlier run is not where the endpoint's
// certificate can be. A journal is a file that others may have written: no path is
// written or removed because it says so, but only where warroom.yaml leads.
func (n *renewal) trusted(base string) error {
	tag, err := hex.DecodeString(n.tag)
	if err != nil || len(tag) != 4 || n.tag != strings.ToLower(n.tag) {
		return errors.New("the journal does not tell how the run named its files")
	}
	if want := filepath.Join(base, folderName(n.e)+n.tag); n.folder != want {
		return fmt.Errorf("the journal names the folder %s, and the run's is %s", n.folder, want)
	}
	now, err := locate(n.e)
	switch {
	case err == nil && now == n.where:
		return nil
	case n.where.kind == inNothing || n.where.kind != inFolder && err != nil:
		return errors.New("the journal names other files than warroom.yaml does")
	case n.where.base != base:
		return fmt.Errorf("the journal names files beside %s, and those of warroom.yaml lie beside %s", n.where.base, base)
	}
	// The link leads elsewhere by now, or others have put theirs in place: the run's own
	// back-up, which lies beside the files, tells what it was about.
	b, err := n.saved()
	if err != nil {
		return fmt.Errorf("the journal names other files than warroom.yaml does, and %w", err)
	}
	var paths []string
	for _, one := range b.Files {
		paths = append(paths, one.Path)
	}
	if b.Link != n.where.link || b.To != n.where.to || !slices.Equal(paths, n.where.files()) {
		return fmt.Errorf("the journal names other files than the back-up in %s does", n.oldDir())
	}
	return nil
}

// baseOf is the folder in which a run makes its own, by warroom.yaml alone: the links in
// its paths are followed, whatever they lead to by now.
func (n *renewal) baseOf(kind string) (string, error) {
	certPath, keyPath := n.e.Certificate, n.e.Key
	if n.e.rot.Combined != "" {
		certPath, keyPath = n.e.rot.Combined, n.e.rot.Combined
	}
	switch {
	case certPath == "" && kind == inNothing:
		return n.p.state(), nil
	case kind == inFolder && throughLink(certPath) != "" && throughLink(certPath) == throughLink(keyPath):
		return filepath.Dir(throughLink(certPath)), nil
	case certPath != "" && (kind == inFiles || kind == inCombined):
		cert, err := filepath.EvalSymlinks(certPath)
		return filepath.Dir(cert), err
	}
	return "", errors.New("the journal names another kind of place than warroom.yaml does")
}
