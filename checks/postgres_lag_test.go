package checks

import (
	"testing"

	"warroom/internal/estate"
)

// Components on one server that are watched through one connection share what it
// says of its replication, each saying when that was read; none gets its own last
// answer again.
func TestReplicationIsReadOnceForAll(t *testing.T) {
	w := newSimWorld(t, nil)
	w.setRole(t, pgRole{name: "wr_app", password: pgOld})
	at := w.at(false)
	at.Monitor = "watch"
	e := newPGEstate(t, at, at)
	w.PauseReplay()
	read := func(component string) (estate.Replication, Result) {
		r := e.run(t, component, estate.CheckReplication, "")
		data, ok := r.Data.(estate.Replication)
		if !ok || len(data.Standbys) != 1 {
			t.Fatalf("%s: %+v %v", component, r.Data, r.Err)
		}
		return data, r
	}
	first, r := read("db0")
	if !r.At.IsZero() {
		t.Errorf("the first read is of %v", r.At)
	}
	w.AdvanceWAL(1 << 20)
	shared, r := read("db1")
	if r.At.IsZero() || shared.Standbys[0] != first.Standbys[0] {
		t.Errorf("the other component got %+v of %v, want %+v and when it was read", shared, r.At, first)
	}
	again, r := read("db0")
	if !r.At.IsZero() || again.Standbys[0].LagBytes < first.Standbys[0].LagBytes+1<<20 {
		t.Errorf("the same component got %+v of %v again", again, r.At)
	}
}
