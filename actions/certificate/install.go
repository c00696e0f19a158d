package certificate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

// saved is one file of the back-up.
type saved struct {
	Path   string `json:"path"`
	Copy   string `json:"copy"` // name within the folder of the back-up
	SHA256 string `json:"sha256"`
	meta
}

// backup is what is needed to put everything back. It is written last, so that it
// tells that the copies are whole.
type backup struct {
	Files  []saved `json:"files"`
	Link   string  `json:"link,omitempty"`
	To     string  `json:"to,omitempty"`
	Object string  `json:"object,omitempty"` // copy of the Kubernetes Secret's two keys
}

const backupIndex = "index.json"

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// oldDir is the folder of the back-up.
func (n *renewal) oldDir() string { return filepath.Join(n.folder, "old") }

// save copies what will be replaced, with mode and owner, and reads it back.
func (n *renewal) save(ctx context.Context) error {
	if _, err := n.saved(); err == nil {
		return nil // whole already
	}
	if err := makeDir(ctx, n.oldDir()); err != nil {
		return err
	}
	b := backup{Link: n.where.link, To: n.where.to}
	for i, path := range n.where.files() {
		data, m, err := readFile(path)
		if err != nil {
			return changeError("back up "+path, err)
		}
		one := saved{Path: path, Copy: fmt.Sprintf("%d-%s", i+1, filepath.Base(path)), SHA256: digest(data), meta: m}
		if err := put(ctx, filepath.Join(n.oldDir(), one.Copy), data, private); err != nil {
			return err
		}
		b.Files = append(b.Files, one)
	}
	if n.e.rot.Object != "" {
		data, err := n.readObject(ctx)
		if err != nil {
			return err
		}
		register(n.p.systems.Act.Net(), data.key)
		text, err := json.Marshal(map[string][]byte{"tls.crt": data.cert, "tls.key": data.key})
		if err != nil {
			return changeError("back up "+n.e.rot.Object, err)
		}
		b.Object = "object.json"
		if err := put(ctx, filepath.Join(n.oldDir(), b.Object), text, private); err != nil {
			return err
		}
	}
	text, err := json.MarshalIndent(b, "", "  ")
	if err != nil {
		return changeError("write the index of the back-up", err)
	}
	return put(ctx, filepath.Join(n.oldDir(), backupIndex), append(text, '\n'), private)
}

// saved reads the back-up and makes sure that it is whole.
func (n *renewal) saved() (*backup, error) {
	data, _, err := readFile(filepath.Join(n.oldDir(), backupIndex))
	if err != nil {
		return nil, fmt.Errorf("there is no whole back-up in %s", n.oldDir())
	}
	b := &backup{}
	if err := json.Unmarshal(data, b); err != nil {
		return nil, fmt.Errorf("the index of the back-up in %s is damaged", n.oldDir())
	}
	for _, one := range b.Files {
		data, m, err := readFile(filepath.Join(n.oldDir(), one.Copy))
		if err != nil {
			return nil, fmt.Errorf("the back-up of %s cannot be read: %w", one.Path, err)
		}
		if digest(data) != one.SHA256 || m.Mode.Perm()&0o077 != 0 && m.UID >= 0 {
			return nil, fmt.Errorf("the back-up of %s is not what was backed up", one.Path)
		}
	}
	if b.Object != "" {
		if _, _, err := readFile(filepath.Join(n.oldDir(), b.Object)); err != nil {
			return nil, fmt.Errorf("the back-up of the Kubernetes Secret cannot be read: %w", err)
		}
	}
	return b, nil
}

// content is what each file holds afterwards, by its path.
func (n *renewal) content(b *backup) (map[string][]byte, *bundle, error) {
	chain, key, err := n.issued()
	if err != nil {
		return nil, nil, err
	}
	out := map[string][]byte{n.where.cert: chain.pem, n.where.key: key}
	if n.where.kind == inCombined {
		old, _, err := readFile(filepath.Join(n.oldDir(), b.Files[0].Copy))
		if err != nil {
			return nil, nil, err
		}
		out[n.where.cert] = combine(old, chain.pem, key)
	}
	return out, chain, nil
}

// combine writes certificate and key in the order of the file that they replace, and
// keeps what else is in that, for example parameters of a key exchange.
func combine(old, chain, key []byte) []byte {
	keyFirst, first := false, true
	var rest []byte
	for block, more := pem.Decode(old); block != nil; block, more = pem.Decode(more) {
		switch isKey := strings.HasSuffix(block.Type, "PRIVATE KEY"); {
		case isKey || block.Type == "CERTIFICATE":
			if first {
				keyFirst = isKey
			}
			first = false
		case block.Type != "EC PARAMETERS": // of the old key
			rest = append(rest, pem.EncodeToMemory(block)...)
		}
	}
	if keyFirst {
		return slices.Concat(key, chain, rest)
	}
	return slices.Concat(chain, key, rest)
}

// install puts the new files in place. It may be repeated.
func (n *renewal) install(ctx context.Context) error {
	b, err := n.saved()
	if err != nil {
		return changeError("install the certificate of "+n.e.id, err)
	}
	content, _, err := n.content(b)
	if err != nil {
		return changeError("install the certificate of "+n.e.id, err)
	}
	if n.where.kind == inFolder {
		return n.installFolder(ctx, b, content)
	}
	var due []saved
	for _, one := range b.Files {
		if holds(one.Path, content[one.Path], one.meta) {
			continue
		}
		if err := stage(ctx, one.Path, content[one.Path], one.meta); err != nil {
			return err
		}
		due = append(due, one)
	}
	// All is on disk before the first name changes, so that nothing that takes time is
	// between the renames.
	for _, one := range due {
		if err := swap(ctx, one.Path); err != nil {
			return err
		}
	}
	return nil
}

// installFolder makes the new folder beside the old and swaps the link.
func (n *renewal) installFolder(ctx context.Context, b *backup, content map[string][]byte) error {
	dir, to := n.where.next(n.tag)
	if now, err := os.Readlink(n.where.link); err == nil && now == to {
		return nil
	}
	old := filepath.Dir(n.where.cert)
	names, err := folderContent(old)
	if err != nil {
		return changeError("copy "+old, err)
	}
	info, err := os.Stat(old)
	if err != nil {
		return changeError("copy "+old, err)
	}
	if err := makeDir(ctx, dir); err != nil {
		return err
	}
	for _, name := range names {
		data, m, err := readFile(filepath.Join(old, name))
		if err != nil {
			return changeError("copy "+old, err)
		}
		if fresh, ok := content[filepath.Join(old, name)]; ok {
			data = fresh
		}
		if err := put(ctx, filepath.Join(dir, name), data, m); err != nil {
			return err
		}
	}
	if err := changeFile(ctx, "give "+dir+" the mode and owner of "+old, func() error {
		d, err := os.Open(dir)
		if err != nil {
			return err
		}
		defer func() { _ = d.Close() }()
		if err := own(d, metaOf(info)); err != nil {
			return err
		}
		return d.Chmod(info.Mode().Perm())
	}); err != nil {
		return err
	}
	return swapLink(ctx, n.where.link, to)
}

// swapLink has a link point elsewhere, at once.
func swapLink(ctx context.Context, link, to string) error {
	temp := temporary(link)
	return changeFile(ctx, "swap the link "+link+" to "+to, func() error {
		_ = os.Remove(temp)
		if err := os.Symlink(to, temp); err != nil {
			return err
		}
		if err := os.Rename(temp, link); err != nil {
			_ = os.Remove(temp)
			return err
		}
		return syncDir(filepath.Dir(link))
	})
}

// installed reports whether the files are the new ones: all, none or some of them.
func (n *renewal) installed() (fresh, old bool, err error) {
	b, err := n.saved()
	if err != nil {
		return false, false, err
	}
	if n.where.kind == inFolder {
		dir, to := n.where.next(n.tag)
		now, err := os.Readlink(n.where.link)
		return err == nil && now == to, err == nil && now == b.To && !there(dir), err
	}
	content, _, contentErr := n.content(b)
	fresh, old = contentErr == nil, true
	for _, one := range b.Files {
		data, _, err := readFile(one.Path)
		if err != nil {
			return false, false, err
		}
		old = old && digest(data) == one.SHA256
		fresh = fresh && digest(data) == digest(content[one.Path])
	}
	return fresh, old, nil
}

// restore puts the old files back, and reads them back. It may be repeated.
func (n *renewal) restore(ctx context.Context) error {
	b, err := n.saved()
	if err != nil {
		return changeError("put the old certificate of "+n.e.id+" back", err)
	}
	if n.where.kind == inFolder {
		if now, err := os.Readlink(b.Link); err != nil || now != b.To {
			if err := swapLink(ctx, b.Link, b.To); err != nil {
				return err
			}
		}
		dir, _ := n.where.next(n.tag)
		return remove(ctx, dir) // the new key is in it
	}
	for _, one := range b.Files {
		data, _, err := readFile(filepath.Join(n.oldDir(), one.Copy))
		if err != nil {
			return changeError("put "+one.Path+" back", err)
		}
		if holds(one.Path, data, one.meta) {
			continue
		}
		if err := put(ctx, one.Path, data, one.meta); err != nil {
			return err
		}
	}
	return n.sweep(ctx)
}

// restored says by reading that the old files are back, with mode and owner.
func (n *renewal) restored() error {
	b, err := n.saved()
	if err != nil {
		return err
	}
	if n.where.kind == inFolder {
		if now, err := os.Readlink(b.Link); err != nil || now != b.To {
			return fmt.Errorf("%s does not point at %s", b.Link, b.To)
		}
	}
	for _, one := range b.Files {
		data, m, err := readFile(one.Path)
		if err != nil {
			return err
		}
		if digest(data) != one.SHA256 || m != one.meta {
			return fmt.Errorf("%s is not as it was", one.Path)
		}
	}
	return nil
}

// sweep removes what a write that was cut short has left: it may hold the new key.
func (n *renewal) sweep(ctx context.Context) error {
	for _, path := range n.where.files() {
		if err := remove(ctx, temporary(path)); err != nil {
			return err
		}
	}
	return nil
}

// changeError is an error of ours on the way to a change.
func changeError(doing string, err error) error {
	var known *estate.Failure
	if errors.As(err, &known) {
		return known
	}
	return &estate.Failure{Kind: estate.BadAnswer, Doing: doing, Detail: clients.Strip(err.Error(), clients.DetailLimit), Next: "see to it, then resume or roll back"}
}
