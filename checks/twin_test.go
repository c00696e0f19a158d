package checks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"warroom/internal/clients"
	"warroom/internal/config"
	"warroom/internal/estate"
)

// A twin test runs the same expectations against the drill's simulated server and,
// beside the lab, against the real one, and demands that both tell the same, word
// for word, once what no two servers have in common is taken out: ids, addresses,
// times. That is what keeps the simulation honest.

// story is what a test read in one world, line by line.
type story struct {
	t     *testing.T
	lines []string
	hide  []string // pairs of what this world calls something, and what both call it
	short regexps
}

type regexps []struct {
	find *regexp.Regexp
	put  string
}

// never are what no two servers have in common.
var never = regexps{
	{regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`), "UUID"},
	{regexp.MustCompile(`127\.0\.0\.1:\d+`), "ADDRESS"},
	{regexp.MustCompile(`\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z| UTC)?`), "TIME"},
	{regexp.MustCompile(`(under 10s|\b\d+s|\b\d+m) ago`), "moments ago"},
	{regexp.MustCompile(`\b(in|oldest|older than) (under 10s|\d+s|\d+m)\b`), "$1 moments"},
}

// difference is a line of the story that the real server tells otherwise.
type difference struct {
	line      string // what it is about
	aws       string // what AWS does, and so the drill: a part of its line
	moto      string // a part of moto's line
	reference string // where it is said what AWS does
}

// twinned runs a test on both worlds. The real one is skipped without the lab;
// what differs is told line by line.
func twinned[W any](t *testing.T, peers []string, sim, real func(t *testing.T) W, test func(t *testing.T, w W, s *story)) {
	t.Helper()
	twinnedBut(t, peers, sim, real, test, nil)
}

// twinnedBut is the same where some lines are known to differ. One that does so no
// longer fails the test as well.
func twinnedBut[W any](t *testing.T, peers []string, sim, real func(t *testing.T) W, test func(t *testing.T, w W, s *story), known []difference) {
	t.Helper()
	var told [2][]string
	run := func(name string, i int, world func(t *testing.T) W) bool {
		return t.Run(name, func(t *testing.T) {
			if i == 1 {
				twinPeers(t, peers...)
			}
			s := &story{t: t}
			test(t, world(t), s)
			told[i] = s.lines
		})
	}
	if !run("sim", 0, sim) || !run("real", 1, real) || told[1] == nil {
		return
	}
	met := map[string]bool{}
	for i := range max(len(told[0]), len(told[1])) {
		var a, b string
		if i < len(told[0]) {
			a = told[0][i]
		}
		if i < len(told[1]) {
			b = told[1][i]
		}
		at := slices.IndexFunc(known, func(d difference) bool {
			return strings.HasPrefix(a, d.line+": ") && strings.HasPrefix(b, d.line+": ")
		})
		switch {
		case at >= 0:
			d := known[at]
			met[d.line] = true
			if a == b || !strings.Contains(a, d.aws) || !strings.Contains(b, d.moto) {
				t.Errorf("what is known to differ does so no longer, or otherwise: %+v\n sim:  %s\n real: %s", d, a, b)
			}
		case a != b:
			t.Errorf("the twins differ:\n sim:  %s\n real: %s", a, b)
		}
	}
	for _, d := range known {
		if !met[d.line] {
			t.Errorf("nothing tells what is known to differ: %+v", d)
		}
	}
}

// tell adds a line: what was read, as both worlds are to tell it.
func (s *story) tell(what string, said any) {
	s.lines = append(s.lines, s.plain(what+": "+spoken(reflect.ValueOf(said))))
}

// same has both worlds call something the same.
func (s *story) same(here, both string) {
	if here != "" && here != both {
		s.hide = append(s.hide, here, both)
	}
}

func (s *story) plain(text string) string {
	text = strings.NewReplacer(s.hide...).Replace(text)
	for _, one := range slices.Concat(s.short, never) {
		text = one.find.ReplaceAllString(text, one.put)
	}
	return text
}

// hidden are fields whose values say only which server answered.
var hidden = map[string]bool{
	"VaultRaftServer.LastIndex": true, "VaultRaftServer.LastContact": true, "VaultHealth.ClusterID": true, "VaultHealth.ClockSkew": true, "VaultNode.Host": true,
	"VaultStaticRole.TTL": true, "SecretVersion.ID": true, "CallerIdentity.UserID": true, "CallerIdentity.ClockSkew": true,
}

// spoken writes a value with its times as whether there are any, and its spans to
// the minute.
func spoken(v reflect.Value) string {
	if !v.IsValid() {
		return "nothing"
	}
	if v.CanInterface() {
		switch x := v.Interface().(type) {
		case time.Time:
			return map[bool]string{true: "never", false: "then"}[x.IsZero()]
		case time.Duration:
			if x < time.Minute && x%time.Second == 0 {
				return x.String() // a setting
			}
			return x.Round(time.Minute).String()
		case *estate.Failure:
			if x == nil {
				return "nothing"
			}
			return "failure " + string(x.Kind) + " (" + x.Kind.Status().String() + "): " + x.Detail
		}
	}
	var parts []string
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return "nothing"
		}
		return spoken(v.Elem())
	case reflect.Struct:
		for i := range v.NumField() {
			f := v.Type().Field(i)
			if !f.IsExported() || hidden[v.Type().Name()+"."+f.Name] {
				continue
			}
			parts = append(parts, f.Name+"="+spoken(v.Field(i)))
		}
		return v.Type().Name() + "{" + strings.Join(parts, " ") + "}"
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			parts = append(parts, spoken(v.Index(i)))
		}
		switch v.Interface().(type) {
		case []estate.SecretVersion, []estate.SecretLife: // of versions the order is that of their ids
			slices.Sort(parts)
		}
		return "[" + strings.Join(parts, " ") + "]"
	case reflect.Map:
		for _, k := range v.MapKeys() {
			parts = append(parts, spoken(k)+"="+spoken(v.MapIndex(k)))
		}
		slices.Sort(parts)
		return "{" + strings.Join(parts, " ") + "}"
	case reflect.String:
		return v.String()
	}
	return fmt.Sprint(v.Interface())
}

// tellAll tells every read of a component, by check and item, and then its reading.
func (s *story) tellAll(what string, r *estate.Readings, id estate.ID) {
	s.t.Helper()
	slots := slices.Clone(r.Snapshot.Slots(id))
	slices.SortFunc(slots, func(a, b *estate.Slot) int {
		return cmp.Or(strings.Compare(a.Last.Key.Check, b.Last.Key.Check), strings.Compare(a.Last.Key.Item, b.Last.Key.Item))
	})
	for _, slot := range slots {
		s.tellSlot(what, slot.Last)
	}
	s.tellReading(what, r, id)
}

func (s *story) tellSlot(what string, o estate.Observation) {
	name := strings.TrimSuffix(what+", "+o.Key.Check+" "+o.Key.Item, " ")
	if o.Failure != nil {
		s.tell(name, o.Failure)
		return
	}
	s.tell(name, o.Data)
}

// tellReading tells what the component's box and detail say.
func (s *story) tellReading(what string, r *estate.Readings, id estate.ID) {
	s.t.Helper()
	one, ok := r.Of(id)
	if !ok {
		s.t.Fatalf("no component %s", id)
	}
	s.tell(what+" reads", fmt.Sprintf("%s %s %s", one.Status, one.Word, one.Reason))
	for _, f := range one.Facts {
		s.tell(what+" fact", fmt.Sprintf("%s | %s | %s | %s | %s", f.Name, f.Value, f.Status, f.Note, f.Formula))
	}
}

// yaml is an estate of the given text, which begins at aws, vaults, kubernetes or
// components. It is loaded as any warroom.yaml is.
func twinConfig(t testing.TB, text string) *config.Config {
	t.Helper()
	path := filepath.Join(t.TempDir(), "warroom.yaml")
	if err := os.WriteFile(path, []byte("version: 1\nenvironment: twin\n"+text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg, err := config.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// twinCheck runs every check of an estate once, as warroom check does.
func twinCheck(t *testing.T, cfg *config.Config) *estate.Readings {
	t.Helper()
	set := clients.New(cfg)
	defer set.Close()
	probes, watchers := Probes(cfg, set), Watchers(cfg, set)
	board := NewBoard(estate.NewSnapshot(cfg.Topology(), Expectations(probes, watchers...)))
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	NewScheduler(probes, Options{Concurrency: cfg.Checks.Concurrency, Post: board.Post, Watchers: watchers}).Once(ctx)
	if err := ctx.Err(); err != nil {
		t.Fatalf("the checks did not end: %v", err)
	}
	r := estate.Derive(board.Snapshot(), time.Now())
	for _, c := range cfg.Components {
		for _, slot := range r.Snapshot.Slots(estate.ID(c.ID)) {
			noCanary(t, fmt.Sprintf("%+v %v", slot.Last.Data, slot.Last.Failure))
		}
	}
	return r
}

// readLater is the same estate as it reads when nothing of what was read has changed
// for so long.
func readLater(r *estate.Readings, d time.Duration) *estate.Readings {
	var all []estate.Observation
	for _, c := range r.Snapshot.Topology.Components {
		for _, slot := range r.Snapshot.Slots(c.ID) {
			o := slot.Last
			o.At = o.At.Add(d)
			if !o.Tried.IsZero() {
				o.Tried = o.Tried.Add(d)
			}
			all = append(all, o)
		}
	}
	return estate.Derive(r.Snapshot.With(all...), r.At.Add(d))
}

// twinSlot is what one check of a component last brought.
func twinSlot(t *testing.T, r *estate.Readings, id estate.ID, check string) estate.Observation {
	t.Helper()
	slot, ok := r.Snapshot.Slot(estate.Key{Component: id, Check: check})
	if !ok {
		t.Fatalf("nothing reads %s of %s", check, id)
	}
	return slot.Last
}

// twinData is the same where it must be data of one type.
func twinData[T estate.Data](t *testing.T, r *estate.Readings, id estate.ID, check string) T {
	t.Helper()
	o := twinSlot(t, r, id, check)
	data, ok := o.Data.(T)
	if !ok {
		t.Fatalf("%s of %s brought %#v, %v", check, id, o.Data, o.Failure)
	}
	return data
}

// reads demands a reading's status and word.
func reads(t *testing.T, r *estate.Readings, id estate.ID, status estate.Status, word string) {
	t.Helper()
	one, _ := r.Of(id)
	if one.Status != status || one.Word != word {
		t.Errorf("%s reads %s %s (%s), want %s %s", id, one.Status, one.Word, one.Reason, status, word)
	}
}

// failures demands that exactly these checks of a component failed, and how.
func failures(t *testing.T, r *estate.Readings, id estate.ID, want map[string]estate.FailureKind) {
	t.Helper()
	got := map[string]estate.FailureKind{}
	for _, slot := range r.Snapshot.Slots(id) {
		if f := slot.Last.Failure; f != nil {
			got[slot.Last.Key.Check] = f.Kind
		}
	}
	if !maps.Equal(got, want) {
		t.Errorf("of %s failed %v, want %v", id, got, want)
	}
}

// until waits for a state: it asks again and again, and fails with the last answer.
func until(t *testing.T, what string, limit time.Duration, is func() (bool, string)) {
	t.Helper()
	var last string
	for deadline := time.Now().Add(limit); ; {
		ok, said := is()
		if ok {
			return
		}
		last = said
		if time.Now().After(deadline) {
			t.Fatalf("%s never came: %s", what, last)
		}
		select {
		case <-t.Context().Done():
			t.Fatalf("%s: %v: %s", what, t.Context().Err(), last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}
