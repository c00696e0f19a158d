package estate

import "time"

// CheckSecretReads brings SecretReads, one for each stored secret that a component
// uses; its item is the secret's id, its component the one that stores it.
const CheckSecretReads = "secret-reads"

// SecretReads is who asked for the value of one stored secret, as CloudTrail
// recorded it, which it does minutes late. What warroom itself read is left out.
type SecretReads struct {
	Account string        // name in warroom.yaml
	Window  time.Duration // the time before the read that was looked at: the configured one, shorter when Partial
	// Named are the known readers that warroom.yaml names for this secret. Where
	// there is none, nobody said who may read, and no reader counts as unknown.
	Named   []string
	Readers []SecretReader // those that are not known first, then the latest; at most 50
	Others  int            // readers beyond those listed
	Reads   int            // values handed out, to all readers
	Refused int            // requests that were refused, of all readers
	Ours    int            // values handed out to us, already left out
	Partial bool           // there was more than one read may look at: older ones are missing
}

// SecretReader is one principal that asked for a secret's value. One that came
// from a known and an unknown address stands there twice.
type SecretReader struct {
	Who         string   // ARN of the session or user, or the service; stripped
	Role        string   // name of the role of which it is a session; empty where it is none
	From        []string // source addresses, the latest first, at most 8
	Agent       string   // the program of the latest request, as it calls itself; anyone can claim any
	Reads       int      // values handed out
	Refused     int      // requests that were refused
	First, Last time.Time
	Known       bool
	Why         string // why it is known, or what of it is not
}

// Judged reports whether readers were told apart: somebody said who may read.
func (s *SecretReads) Judged() bool { return len(s.Named) > 0 }

// Unknown are the readers that got the value and are not known; none where nobody
// said who may read.
func (s *SecretReads) Unknown() []SecretReader {
	var out []SecretReader
	if !s.Judged() {
		return nil
	}
	for _, r := range s.Readers {
		if !r.Known && r.Reads > 0 {
			out = append(out, r)
		}
	}
	return out
}

func (SecretReads) data() {}
