//go:build unix

package certificate

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"warroom/internal/incident"
	"warroom/internal/plan"
)

// TestAForgedJournalLeadsToNoOtherFile: what a journal tells of paths is followed only
// where warroom.yaml leads, so that taking up a run writes and removes nothing else.
func TestAForgedJournalLeadsToNoOtherFile(t *testing.T) {
	type forgery func(w *world, facts map[string]string)
	replaced := func(change func(w *world, p *placed)) forgery {
		return func(w *world, facts map[string]string) {
			var p placed
			if err := json.Unmarshal([]byte(facts[factPlace]), &p); err != nil {
				w.t.Fatal(err)
			}
			change(w, &p)
			text, err := json.Marshal(p)
			if err != nil {
				w.t.Fatal(err)
			}
			facts[factPlace] = string(text)
		}
	}
	for what, forge := range map[string]forgery{
		"the folder that is removed in the end": func(w *world, facts map[string]string) { facts[factFolder] = w.path("precious") },
		"a folder of its naming elsewhere": func(w *world, facts map[string]string) {
			facts[factFolder] = filepath.Join(w.path("precious"), filepath.Base(facts[factFolder]))
		},
		"a tag that climbs": func(w *world, facts map[string]string) {
			facts[factTag] += "/../precious"
			facts[factFolder] += "/../precious"
		},
		"the file of the certificate": replaced(func(w *world, p *placed) { p.Cert = w.path("precious/file") }),
		"the file of the key":         replaced(func(w *world, p *placed) { p.Key = w.path("precious/file") }),
		"everything, elsewhere": func(w *world, facts map[string]string) {
			replaced(func(w *world, p *placed) {
				p.Kind, p.Cert, p.Key, p.Base = inFiles, w.path("precious/file"), w.path("precious/key"), w.path("precious")
			})(w, facts)
			facts[factFolder] = filepath.Join(w.path("precious"), filepath.Base(facts[factFolder]))
		},
		"a link": replaced(func(w *world, p *placed) { p.Kind, p.Link, p.To = inFolder, w.path("precious/link"), "elsewhere" }),
		"none":   replaced(func(_ *world, p *placed) { *p = placed{} }),
	} {
		for _, layout := range []string{"", "combined", "folder"} {
			t.Run(what+", layout "+layout, func(t *testing.T) {
				w := newWorld(t, shape{layout: layout})
				w.write("precious/file", []byte("worth more than a certificate\n"), 0o600)
				w.write("precious/key", []byte("a key\n"), 0o600)
				w.link("file", "precious/link")
				e := w.engine()
				p, err := e.Plan(t.Context(), plan.Request{Procedure: Name, Target: target})
				if err != nil {
					t.Fatal(err)
				}
				e.Close()
				// The journal tells of a run that nobody began.
				forged := *p
				forged.ID = "forged"
				forge(w, forged.Facts)
				if err := w.log.Record(t.Context(), incident.New("eve", incident.Granted{Plan: forged, Fingerprint: forged.Fingerprint()}),
					incident.New("eve", incident.RunEnded{Run: forged.ID, State: plan.RunStopped})); err != nil {
					t.Fatal(err)
				}
				before := w.inventory()
				for _, mode := range []plan.Mode{plan.Resume, plan.Back} {
					got, err := w.do(w.engine(), plan.Request{Mode: mode, Of: "forged"})
					if err == nil {
						t.Errorf("%s was carried out, and ended %s: %s", mode, got.State, got.Trouble)
					}
				}
				if after := w.inventory(); after != before {
					t.Errorf("files changed:\n%s\nbefore\n%s", after, before)
				}
			})
		}
	}
}

// inventory is every file below the world's folder with its content, but for the
// recovery log.
func (w *world) inventory() string {
	var out strings.Builder
	err := filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.Name() == "recovery.log" {
			return err
		}
		out.WriteString(path)
		if to, err := os.Readlink(path); err == nil {
			out.WriteString(" -> " + to)
		} else if text, err := os.ReadFile(path); err == nil {
			out.WriteString(" = " + digest(text))
		} else if !d.IsDir() && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		out.WriteString("\n")
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out.String()
}
