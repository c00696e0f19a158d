package report

// incidentDoc is the model, and as JSON the document warroom.incident-report/v1.
// A field with the tag report:"key" is for programs and is not printed for people;
// report:"lines" may have several lines. Every other text stands in every rendering.
type incidentDoc struct {
	Schema      string `json:"schema" report:"key"`
	MadeAt      moment `json:"made_at"`
	ID          string `json:"id"`
	Status      string `json:"status"` // open, service is back, closed
	Severity    string `json:"severity"`
	Summary     string `json:"summary"`
	Environment string `json:"environment,omitempty"`
	Drill       string `json:"drill,omitempty"`

	Started   moment `json:"started"` // T0
	Declared  moment `json:"declared"`
	Recovered moment `json:"recovered"`
	Closed    moment `json:"closed"`

	Marks      []markDoc      `json:"marks"` // recovered, closed, reopened, each time
	Severities []severityDoc  `json:"severity_changes"`
	Roles      []roleDoc      `json:"roles"`
	Verdict    *verdictDoc    `json:"verdict"`
	Times      []timeDoc      `json:"times"`
	Phases     []phaseDoc     `json:"phases"`
	Updates    updatesDoc     `json:"updates"`
	Timeline   []entryDoc     `json:"timeline"`
	Flow       []flowDoc      `json:"flow"`
	Checklist  []listDoc      `json:"checklist"`
	Exceptions []exceptionDoc `json:"exceptions"`
	Decisions  []saidDoc      `json:"decisions"`
	Measures   []measureDoc   `json:"measures"`
	Runs       []runDoc       `json:"runs"`
	Notes      []saidDoc      `json:"notes"`
	Open       []openDoc      `json:"open"`
	Prevention []lessonDoc    `json:"prevention"`
	Basis      basisDoc       `json:"basis"`
}

// when is a time twice: as UTC, and counted from T0.
type when struct {
	At moment `json:"at"`
	T  span   `json:"t"` // seconds since T0; negative before it
}

type markDoc struct {
	when
	What string `json:"what"`
	By   string `json:"by,omitempty"`
	Text string `json:"text,omitempty"` // note or reason
}

type severityDoc struct {
	when
	From   string `json:"from"`
	To     string `json:"to"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
}

type roleDoc struct {
	Role    string    `json:"role"`
	Who     string    `json:"who"` // at the end; empty when nobody
	History []handDoc `json:"history"`
}

type handDoc struct {
	when
	From string `json:"from,omitempty"`
	To   string `json:"to"`
	By   string `json:"by,omitempty"`
}

type evidenceDoc struct {
	Stance string `json:"stance,omitempty"`
	Value  string `json:"value,omitempty"`
	Typed  string `json:"typed,omitempty"`
	Note   string `json:"note,omitempty"`
	Link   string `json:"link,omitempty"`
	With   string `json:"with,omitempty"`
	Source string `json:"source,omitempty"`
	Read   moment `json:"read"`
}

type verdictDoc struct {
	when
	Word     string      `json:"word"`
	Marked   bool        `json:"marked"` // a person's mark, against or without the evidence
	Node     string      `json:"node"`
	By       string      `json:"by,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Evidence evidenceDoc `json:"evidence"`
}

type timeDoc struct {
	Name    string `json:"name" report:"key"` // detect, first_update, verdict, diagnose, recover, close
	Title   string `json:"title"`
	Value   *span  `json:"value"` // seconds; null when it did not come to that
	Formula string `json:"formula"`
	Note    string `json:"note,omitempty"`
}

type phaseDoc struct {
	Of      string `json:"of"` // flow or checklist
	Number  int    `json:"number"`
	ID      string `json:"id" report:"key"`
	Title   string `json:"title"`
	From    span   `json:"from"` // of its budget, from T0
	To      span   `json:"to"`
	Began   *span  `json:"began"` // the first thing done in it, from T0
	Done    *span  `json:"done"`  // settled, from T0; null when it is not
	Over    *span  `json:"over"`  // beyond its budget; null when it was not
	Settled int    `json:"settled"`
	Total   int    `json:"total"`
	State   string `json:"state"` // in words
}

type updatesDoc struct {
	Sent    int         `json:"sent"`
	OnTime  int         `json:"on_time"`
	Late    int         `json:"late"`
	Missed  int         `json:"missed"`  // promised, and the incident was closed without it
	Failed  int         `json:"failed"`  // did not arrive
	Unclear int         `json:"unclear"` // nobody can tell whether they arrived
	Worst   *span       `json:"worst"`   // the latest one was late by
	Due     moment      `json:"due"`     // the next one; null when none is promised
	Over    *span       `json:"overdue"`
	List    []updateDoc `json:"list"`
}

type updateDoc struct {
	when
	By       string `json:"by,omitempty"`
	To       string `json:"to,omitempty"`
	Promised moment `json:"promised"`
	State    string `json:"state"` // on time, late, not promised, did not arrive, not known whether it arrived, never sent
	Late     *span  `json:"late"`
	Next     moment `json:"next"`
	Failed   string `json:"failed,omitempty"`
	Text     string `json:"text,omitempty" report:"lines"`
}

type entryDoc struct {
	when
	Seq    uint64 `json:"seq"`
	Kind   string `json:"kind"`
	By     string `json:"by,omitempty"`
	Text   string `json:"text"`
	Events int    `json:"events"`             // how many events it stands for
	Until  moment `json:"until,omitzero"`     // of the last of them, when it stands for several
	Last   uint64 `json:"last_seq,omitempty"` //
	Act    string `json:"-" report:"key"`     // of a node, an item or evidence: what was done; Text says it to people
}

type flowDoc struct {
	Title string    `json:"title"`
	ID    string    `json:"id" report:"key"`
	Nodes []nodeDoc `json:"nodes"`
}

type nodeDoc struct {
	ID       string      `json:"id" report:"key"`
	Title    string      `json:"title"`
	Text     string      `json:"text,omitempty"`
	Group    string      `json:"group,omitempty"`
	Beside   string      `json:"beside,omitempty"` // the title of the node it hangs off
	State    string      `json:"state"`
	At       moment      `json:"at"`
	T        *span       `json:"t"`
	By       string      `json:"by,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Verdict  string      `json:"verdict,omitempty"`
	Marked   bool        `json:"marked,omitempty"`
	Evidence evidenceDoc `json:"evidence"`
}

type listDoc struct {
	Title string    `json:"title"`
	ID    string    `json:"id" report:"key"`
	Mode  string    `json:"mode"`
	Items []itemDoc `json:"items"`
}

type itemDoc struct {
	ID       string      `json:"id" report:"key"`
	Text     string      `json:"text"`
	Expect   string      `json:"expect,omitempty"`
	Killer   bool        `json:"killer,omitempty"`
	Call     bool        `json:"completion_call,omitempty"`
	State    string      `json:"state"`
	Act      string      `json:"act,omitempty"` // the last thing that was done with it
	At       moment      `json:"at"`
	T        *span       `json:"t"`
	By       string      `json:"by,omitempty"`
	Reason   string      `json:"reason,omitempty"`
	Evidence evidenceDoc `json:"evidence"`
	Owner    string      `json:"owner,omitempty"`
	Due      moment      `json:"due"`
	Overdue  bool        `json:"overdue,omitempty"`
}

type exceptionDoc struct {
	What   string `json:"what"`
	State  string `json:"state"`
	At     moment `json:"at"`
	T      *span  `json:"t"`
	By     string `json:"by,omitempty"`
	Reason string `json:"reason,omitempty"`
	Value  string `json:"value,omitempty"`
}

type saidDoc struct {
	when
	Seq    uint64 `json:"seq"`
	By     string `json:"by,omitempty"`
	Text   string `json:"text"`
	Reason string `json:"reason,omitempty"`
}

type measureDoc struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"`
	What   string `json:"what"`
	Who    string `json:"who"`
	Reason string `json:"reason,omitempty"`
	Opened moment `json:"opened"`
	Until  moment `json:"until"`
	Ended  moment `json:"ended"`
	State  string `json:"state"` // ended, OPEN, OPEN and OVERDUE
	Why    string `json:"why,omitempty"`
}

type openDoc struct {
	What    string `json:"what"`
	Of      string `json:"of"` // the phase, or temporary measure
	State   string `json:"state"`
	Owner   string `json:"owner,omitempty"`
	Due     moment `json:"due"`
	Overdue bool   `json:"overdue"`
}

type lessonDoc struct {
	ID       string   `json:"id" report:"key"`
	Title    string   `json:"title"`
	Summary  string   `json:"summary,omitempty"`
	Why      []string `json:"why"`
	State    string   `json:"state"` // always proposed
	Measures []string `json:"measures"`
}

type basisDoc struct {
	Verified bool        `json:"verified"`
	Problem  string      `json:"problem,omitempty"`
	Head     string      `json:"head,omitempty"`
	Events   int         `json:"events"`
	Records  uint64      `json:"records"`
	Files    int         `json:"files"`
	Signers  []signerDoc `json:"signers"`
	Notes    []string    `json:"notes"`
	Runbook  string      `json:"runbook"`
	Digest   string      `json:"runbook_sha256,omitempty"`
	Gaps     []string    `json:"gaps"` // what the report cannot tell, or tells with less certainty
}

type signerDoc struct {
	Fingerprint string `json:"fingerprint"`
	Records     uint64 `json:"records"`
}
