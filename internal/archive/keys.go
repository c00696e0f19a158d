package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"warroom/internal/journal"
)

// keyFile is where the key made for an incident lies: beside the incidents and
// not within, so that a folder can be handed on without it.
func (s *Store) keyFile(id string) string {
	return filepath.Join(filepath.Dir(s.root), "keys", id+".key")
}

// signer is the key that signs an incident's records: the operator's own, or the
// one made for the incident. That is made when there is none, as when the incident
// was begun elsewhere.
func (s *Store) signer(id string) (journal.Signer, error) {
	if path := s.options.KeyFile; path != "" {
		signer, err := journal.LoadKey(path)
		if err != nil {
			return nil, fmt.Errorf("sign with the key of --signing-key or incident.signing_key: %w; without one, a key is made for the incident", err)
		}
		return signer, nil
	}
	path := s.keyFile(id)
	signer, err := journal.LoadKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		if err != nil {
			err = fmt.Errorf("sign with the key made for incident %s: %w", id, err)
		}
		return signer, err
	}
	if err := journal.MakeFolders(filepath.Dir(path), s.sync); err != nil {
		return nil, fmt.Errorf("make the folder for keys: %w; it lies below $XDG_STATE_HOME: set that to a folder that can be written", err)
	}
	signer, err = journal.MakeKey(path, "warroom incident "+id+" "+s.owner())
	if errors.Is(err, fs.ErrExist) { // another console was faster
		return journal.LoadKey(path)
	}
	if err != nil {
		return nil, fmt.Errorf("make a key for incident %s: %w", id, err)
	}
	return signer, nil
}
