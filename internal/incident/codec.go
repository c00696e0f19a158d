package incident

// Encode is the event as one line of JSON for a journal, without Seq, which the
// journal gives: {"v":1,"kind":…,"at":…,"by":…,"data":{…}}.
func Encode(e Event) ([]byte, error) { panic("not built yet") }

// Decode reads what Encode wrote, and what older versions wrote. An event of a
// newer version or of an unknown kind becomes Unreadable and no error; one that is
// not a JSON object of that shape is an error.
func Decode(seq uint64, line []byte) (Event, error) { panic("not built yet") }
