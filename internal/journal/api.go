package journal

// Signer signs for the operator.
type Signer interface {
	// Public is the public key as a line of authorized_keys.
	Public() string
	// Sign gives the signature of data in SSH's wire format.
	Sign(data []byte) ([]byte, error)
}

// NewKey makes an Ed25519 key that exists in memory only.
func NewKey() (Signer, error) { panic("not built yet") }

// LoadKey reads an OpenSSH private key without passphrase, or takes that of a .pub file from the agent.
func LoadKey(path string) (Signer, error) { panic("not built yet") }

// MakeKey makes an Ed25519 key in a new file.
func MakeKey(path, comment string) (Signer, error) { panic("not built yet") }

// Options says how a journal is written.
type Options struct {
	Signer Signer // signs every record; required
	Owner  string // who writes, for the message of the lock: operator@host
}

// Recovery is what was found and done when a journal was opened.
type Recovery struct {
	Torn    int      // bytes of an unfinished record that were cut off
	Kept    string   // the file beside that holds them; empty when none does
	Unacked int      // records that were written but not acknowledged before a crash, and are kept
	Faults  []Fault  // damage: with any, verify fails
	Lines   []string // what to tell, one line each; none when all was well
}

// Writer appends to a journal, which it holds alone.
type Writer struct{}

// Create begins a journal in dir, which is made when it is missing.
func Create(dir string, o Options) (*Writer, error) { panic("not built yet") }

// Open takes a journal up. *Held when another process has it; ErrNone when there is none.
func Open(dir string, o Options) (*Writer, *Recovery, error) { panic("not built yet") }

// Append records payloads in order and returns when they are durable.
func (w *Writer) Append(payloads ...[]byte) (Head, error) { panic("not built yet") }

// Head names the last record that is durable.
func (w *Writer) Head() Head { panic("not built yet") }

// Trouble is what is wrong with the journal, one line; empty when nothing is.
func (w *Writer) Trouble() string { panic("not built yet") }

// Close gives the journal up.
func (w *Writer) Close() error { panic("not built yet") }

// Holder tells who writes the journal in dir now; held is false when nobody does.
func Holder(dir string) (who string, held bool, err error) { panic("not built yet") }

// Reader reads a journal, also while it is written.
type Reader struct{}

// Read opens a journal for reading; ErrNone when there is none.
func Read(dir string) (*Reader, error) { panic("not built yet") }

// Refresh looks for what was acknowledged since.
func (r *Reader) Refresh() (grew bool, err error) { panic("not built yet") }

// Len is how many records can be asked for, bad ones included.
func (r *Reader) Len() uint64 { panic("not built yet") }

// Head names the last acknowledged record.
func (r *Reader) Head() Head { panic("not built yet") }

// Faults are what is wrong with the journal as far as it was read.
func (r *Reader) Faults() []Fault { panic("not built yet") }

// Records are at most n records whose number is from or greater, ascending.
func (r *Reader) Records(from uint64, n int) ([]Record, error) { panic("not built yet") }

// Each calls do with every record in order, bad ones included, until it fails.
func (r *Reader) Each(do func(Record) error) error { panic("not built yet") }

// VerifyOptions says what a journal is held against.
type VerifyOptions struct {
	Head *Head    // noted elsewhere: the journal must hold it
	Keys []string // lines of authorized_keys that may sign; none for any
}

// SignedBy is one key and what it signed.
type SignedBy struct {
	Key         string `json:"key"`         // as in authorized_keys, without comment
	Fingerprint string `json:"fingerprint"` // SHA256:…
	Records     uint64 `json:"records"`
	First       uint64 `json:"first"` // number of the first record; 0 when it signed none
	Last        uint64 `json:"last"`
}

// Verification is what was verified.
type Verification struct {
	Journal  string     `json:"journal"` // its identity, random, in hexadecimal
	Segments int        `json:"segments"`
	Records  uint64     `json:"records"`
	Head     Head       `json:"-"`
	Signers  []SignedBy `json:"signers"`
	Faults   []Fault    `json:"faults"` // in the order of the files; empty when it is whole
	Notes    []string   `json:"notes"`  // what is no fault and still to be known
}

// Verify checks a journal wholly. The error is the first *Fault when there is one.
func Verify(dir string, v VerifyOptions) (*Verification, error) { panic("not built yet") }
