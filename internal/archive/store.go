package archive

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/adrg/xdg"

	"warroom/internal/incident"
	"warroom/internal/journal"
	"warroom/internal/runbook"
)

// Options say who keeps incidents, and how.
type Options struct {
	Operator string // who works at this console; told in the lock and in console events
	KeyFile  string // the operator's own signing key; empty: one is made for each incident
	// Scrub takes known secret values out of a text before it is journalled; nil
	// leaves texts as they are.
	Scrub func(string) string
	Clock func() time.Time // nil is the system's
	// Go starts a goroutine; nil is the go statement. It lets a console catch a panic
	// of ours, which would leave the terminal raw. ctx has the values of the one that
	// the incident was opened with, and not its end.
	Go func(ctx context.Context, what string, f func())

	look func() moment // a test's clock, in place of Clock
}

// Store keeps the incidents below one folder.
type Store struct {
	root    string
	options Options
	host    string

	sync func(dir string) error  // makes names in a folder durable; a test's, to see that it is done
	wrap func(recorder) recorder // a test's, around every journal that is written
}

// DefaultRoot is where incidents are kept: warroom/incidents in the XDG state
// folder. It is not made before an incident is declared.
func DefaultRoot() (string, error) {
	if !filepath.IsAbs(xdg.StateHome) {
		return "", fmt.Errorf("incidents are kept below the state folder, which is %q: set XDG_STATE_HOME to an absolute path", xdg.StateHome)
	}
	return filepath.Join(xdg.StateHome, "warroom", "incidents"), nil
}

// New is a store on a folder, which need not exist yet.
func New(root string, o Options) *Store {
	if o.Clock == nil {
		o.Clock = time.Now
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown host"
	}
	return &Store{root: root, options: o, host: host, sync: journal.SyncFolder}
}

// start starts a goroutine.
func (s *Store) start(ctx context.Context, what string, f func()) {
	if s.options.Go == nil {
		go f()
		return
	}
	s.options.Go(ctx, what, f)
}

// Root is the folder below which incidents are kept.
func (s *Store) Root() string { return s.root }

// Folder is where an incident lies. id is a valid one, as Resolve gives it.
func (s *Store) Folder(id string) (string, error) {
	if !validID.MatchString(id) {
		return "", &NotFound{Name: id, Root: s.root, Any: true}
	}
	return filepath.Join(s.root, id), nil
}

// owner is what the lock says of who holds it.
func (s *Store) owner() string {
	if s.options.Operator == "" {
		return s.host
	}
	return s.options.Operator + "@" + s.host
}

// declareTries bounds how many ids are tried: so many incidents on one day.
const declareTries = 10_000

// Create begins an incident with its declaration, whose ID is given here, and
// returns once both are durable. rb is the runbook that it will follow, also when
// the team's changes. After an error nothing is left of it, but for one that is
// incident.ErrUnsure: then its folder is kept, and the error names it.
func (s *Store) Create(ctx context.Context, declared incident.Event, rb *runbook.Runbook) (*Session, error) {
	data, ok := declared.Data.(incident.Declared)
	if !ok {
		return nil, fmt.Errorf("declare an incident: the event is %q and no declaration, which is a fault of warroom", declared.Kind)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("declare an incident: %w", err)
	}
	id, folder, err := s.reserve()
	if err != nil {
		return nil, err
	}
	session, err := s.begin(ctx, id, folder, rb)
	if err != nil {
		s.discard(id, folder)
		return nil, err
	}
	data.ID, data.Runbook, data.Digest = id, rb.Name, rb.Digest
	declared.Data = data
	if err := session.Record(ctx, declared, session.moved("opened")); err != nil {
		_ = session.end("")
		if errors.Is(err, incident.ErrUnsure) {
			return nil, fmt.Errorf("declare incident %s: %w; its folder %s is kept: `warroom incident show %s` tells whether it is declared", id, err, folder, id)
		}
		s.discard(id, folder)
		return nil, fmt.Errorf("declare incident %s: %w", id, err)
	}
	return session, nil
}

// reserve makes the folder of a new incident, which no other console gets.
func (s *Store) reserve() (id, folder string, err error) {
	if err := journal.MakeFolders(s.root, s.sync); err != nil {
		return "", "", fmt.Errorf("make the folder for incidents: %w; it lies below $XDG_STATE_HOME: set that to a folder that can be written", err)
	}
	day := s.options.Clock().UTC().Format(time.DateOnly)
	for n := 1; n <= declareTries; n++ {
		id = fmt.Sprintf("%s-%d", day, n)
		folder = filepath.Join(s.root, id)
		err := os.Mkdir(folder, 0o700)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err == nil {
			err = s.sync(s.root)
		}
		if err != nil {
			return "", "", fmt.Errorf("make the folder of incident %s: %w; it lies below $XDG_STATE_HOME: set that to a folder that can be written", id, err)
		}
		return id, folder, nil
	}
	return "", "", fmt.Errorf("declare an incident: %d folders of %s stand in %s already: move some away", declareTries, day, s.root)
}

// begin makes the files of a new incident.
func (s *Store) begin(ctx context.Context, id, folder string, rb *runbook.Runbook) (*Session, error) {
	if err := writeNew(filepath.Join(folder, runbookFile), rb.Source); err != nil {
		return nil, fmt.Errorf("keep a copy of the runbook with incident %s: %w", id, err)
	}
	signer, err := s.signer(id)
	if err != nil {
		return nil, err
	}
	writer, err := journal.Create(folder, journal.Options{Signer: signer, Owner: s.owner()})
	if err != nil {
		return nil, fmt.Errorf("begin the journal of incident %s: %w", id, err)
	}
	session := s.session(id, folder, rb)
	if err := session.write(ctx, writer, nil); err != nil {
		_ = writer.Close()
		return nil, err
	}
	return session, nil
}

// discard takes back what was begun of an incident that was never declared.
func (s *Store) discard(id, folder string) {
	_ = os.RemoveAll(folder)
	if s.options.KeyFile == "" {
		_ = os.Remove(s.keyFile(id))
	}
}

// Open opens an incident: as its writer when nobody else is, else to follow it. An
// incident that lies where nothing can be written is followed as well; its Case
// says why.
func (s *Store) Open(ctx context.Context, id string) (*Session, error) {
	session, err := s.known(id)
	if err != nil {
		return nil, err
	}
	// The key is asked for once the lock is held: whoever only follows needs none, and
	// none is made for them.
	writer, recovery, err := journal.Open(session.folder, journal.Options{Key: func() (journal.Signer, error) { return s.signer(id) }, Owner: s.owner()})
	if err == nil {
		return session, session.resume(ctx, writer, recovery)
	}
	if held, ok := errors.AsType[*journal.Held](err); ok {
		return session, session.follow(ctx, held.Who, "")
	}
	if unwritable(err) {
		return session, session.follow(ctx, "", fmt.Sprintf("read-only, because it cannot be written: %v", err))
	}
	return nil, fmt.Errorf("open incident %s: %w", id, err)
}

// Follow opens an incident to read it, whoever writes it.
func (s *Store) Follow(ctx context.Context, id string) (*Session, error) {
	session, err := s.known(id)
	if err != nil {
		return nil, err
	}
	return session, session.follow(ctx, "", "")
}

// known is a session on an incident that exists; nothing is read yet but its
// runbook.
func (s *Store) known(id string) (*Session, error) {
	folder, err := s.Folder(id)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(folder); errors.Is(err, os.ErrNotExist) {
		return nil, &NotFound{Name: id, Root: s.root, Any: true}
	} else if err != nil {
		return nil, fmt.Errorf("open incident %s: %w", id, err)
	}
	return s.session(id, folder, nil), nil
}
