package checks

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/adrg/xdg"

	"warroom/internal/clients"
	"warroom/internal/estate"
)

const (
	gateSchema    = "warroom.refused/1"
	gateFileLimit = 1 << 20 // bytes that are read of the file
	gateEntries   = 2000    // entries that are kept, the newest
)

// gateFile remembers refused tries beyond the process, so that a check run again
// and again by hand or by cron is as careful as a console that stays open. It
// holds no secret and no name: entries go by a hash of place, user, secret and
// version, and end with the hold.
//
// It is a help and nothing depends on it: a file that is damaged counts as empty
// and is replaced, one that cannot be read or written is left aside. Writers
// merge under a lock; where there is no lock, losing a race may cost one try.
//
// A nil gateFile remembers nothing.
type gateFile struct {
	path     string
	patience time.Duration // how long to wait for other writers

	mu      sync.Mutex
	seen    os.FileInfo // the file as it was read last
	entries map[string]gateRecord
}

// stateFile is the gateFile of this user.
func stateFile() *gateFile {
	if xdg.StateHome == "" {
		return nil
	}
	return &gateFile{path: filepath.Join(xdg.StateHome, "warroom", "refused.json"), patience: 50 * time.Millisecond}
}

// gateRecord is one refused try, with what is needed to show it again.
type gateRecord struct {
	At       time.Time           `json:"at"`
	What     string              `json:"what"` // login, api, gateway or failure
	Outcome  estate.LoginOutcome `json:"outcome,omitempty"`
	SQLState string              `json:"sqlstate,omitempty"`
	Message  string              `json:"message,omitempty"`
	Database string              `json:"database,omitempty"`
	TLS      bool                `json:"tls,omitempty"`
	Code     int                 `json:"code,omitempty"`
	Error    string              `json:"error,omitempty"`
	Kind     estate.FailureKind  `json:"kind,omitempty"`
}

type gateDocument struct {
	Schema  string                `json:"schema"`
	Entries map[string]gateRecord `json:"entries"`
}

// hash stands for a key in the file. Its parts are quoted, so that no two keys
// read the same.
func (k gateKey) hash() string {
	parts := []string{strconv.Quote(k.place), strconv.Quote(k.user), strconv.Quote(k.secret), strconv.Quote(k.version)}
	sum := sha256.Sum256([]byte(strings.Join(parts, " ")))
	return hex.EncodeToString(sum[:])
}

// find returns the refused try of a key that still holds.
func (f *gateFile) find(k gateKey, now time.Time) (attempt, bool) {
	if f == nil {
		return attempt{}, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.load()
	r, ok := f.entries[k.hash()]
	if !ok || !r.holds(now) {
		return attempt{}, false
	}
	o, ok := r.outcome(k)
	return attempt{outcome: o, at: r.At, held: true}, ok
}

// holds reports whether a record is of the last five minutes. One of the future
// is, when the clock was set back by a little; otherwise nothing can be said of
// its age.
func (r gateRecord) holds(now time.Time) bool {
	age := now.Sub(r.At)
	return age >= -stepBack && age < hold
}

// load reads the file where it changed.
func (f *gateFile) load() {
	info, err := os.Stat(f.path)
	if err != nil || !info.Mode().IsRegular() {
		f.seen, f.entries = nil, nil
		return
	}
	if f.seen != nil && os.SameFile(f.seen, info) && f.seen.ModTime().Equal(info.ModTime()) && f.seen.Size() == info.Size() {
		return
	}
	f.seen, f.entries = info, readGate(f.path)
}

func readGate(path string) map[string]gateRecord {
	file, err := os.Open(path)
	if err != nil {
		return nil
	}
	defer func() { _ = file.Close() }()
	raw, err := io.ReadAll(io.LimitReader(file, gateFileLimit+1))
	var d gateDocument
	if err != nil || len(raw) > gateFileLimit || json.Unmarshal(raw, &d) != nil || d.Schema != gateSchema {
		return nil
	}
	return d.Entries
}

// note keeps a try that was refused.
func (f *gateFile) note(k gateKey, a attempt) {
	r, ok := recordOf(a)
	if f == nil || f.path == "" || !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	folder := filepath.Dir(f.path)
	if os.MkdirAll(folder, 0o700) != nil {
		return
	}
	defer lockFile(f.path+".lock", f.patience)()
	all := map[string]gateRecord{}
	for hash, old := range readGate(f.path) { // others may have written since
		if old.holds(a.at) {
			all[hash] = old
		}
	}
	all[k.hash()] = r
	f.entries, f.seen = newestRecords(all), nil
	raw, err := json.Marshal(gateDocument{Schema: gateSchema, Entries: f.entries})
	if err == nil {
		replaceFile(f.path, raw)
	}
}

// newestRecords keeps as many as the file may hold.
func newestRecords(all map[string]gateRecord) map[string]gateRecord {
	if len(all) <= gateEntries {
		return all
	}
	hashes := make([]string, 0, len(all))
	for hash := range all {
		hashes = append(hashes, hash)
	}
	slices.SortFunc(hashes, func(a, b string) int { return all[b].At.Compare(all[a].At) })
	for _, hash := range hashes[gateEntries:] {
		delete(all, hash)
	}
	return all
}

// replaceFile writes a file as a whole or not at all. Its mode is 0600, as
// os.CreateTemp makes it.
func replaceFile(path string, raw []byte) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".refused-*")
	if err != nil {
		return
	}
	_, err = temp.Write(raw)
	if closed := temp.Close(); err == nil {
		err = closed
	}
	if err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(temp.Name())
	}
}

// recordOf is what is kept of a try. Of numbers that an API gave beside its
// refusal nothing is: they are of no use later.
func recordOf(a attempt) (gateRecord, bool) {
	r := gateRecord{At: a.at.UTC().Round(0)}
	if a.err != nil {
		f := clients.Classify(a.err, "")
		r.What, r.Kind, r.Message = "failure", f.Kind, f.Detail
		return r, a.says == unanswered
	}
	switch d := a.data.(type) {
	case estate.Login:
		r.What, r.Outcome, r.SQLState, r.Message, r.Database, r.TLS = "login", d.Outcome, d.SQLState, d.Message, d.Database, d.TLS
	case estate.APIProbe:
		r.What, r.Code = "api", d.Code
	case estate.GatewayProbe:
		r.What, r.Code, r.Error, r.Message = "gateway", d.Code, d.Error, d.Description
	default:
		return r, false
	}
	return r, true
}

// outcome is what a record says, of a file that anybody with this user's rights
// may have written. What does not fit is left aside.
func (r gateRecord) outcome(k gateKey) (outcome, bool) {
	message := clients.Strip(r.Message, clients.DetailLimit)
	switch {
	case r.What == "login" && (r.Outcome == estate.LoginWrong || r.Outcome == estate.LoginRejected || r.Outcome == estate.LoginBarred || r.Outcome == estate.LoginWeak):
		o := outcome{says: refused, data: estate.Login{
			User: k.user, Database: clients.Strip(r.Database, 64), Outcome: r.Outcome, SQLState: clients.Strip(r.SQLState, 5), Message: message, TLS: r.TLS,
		}}
		if r.Outcome == estate.LoginBarred {
			o.says = barred
		}
		return o, true
	case r.What == "api" && refusedCode(r.Code):
		return outcome{says: refused, data: estate.APIProbe{Code: r.Code, RateLimit: -1, RateRemaining: -1}}, true
	case r.What == "gateway" && refusedCode(r.Code):
		return outcome{says: refused, data: estate.GatewayProbe{Code: r.Code, Error: clients.Strip(r.Error, 64), Description: message}}, true
	case r.What == "failure" && r.Kind != "":
		return outcome{says: unanswered, err: &estate.Failure{Kind: estate.FailureKind(clients.Strip(string(r.Kind), 32)), Doing: "log in to " + k.place + " as " + k.user, Detail: message}}, true
	}
	return outcome{}, false
}
