package ui

import (
	"slices"

	"warroom/internal/incident"
	"warroom/panes"
)

// listPlace is where the cursor of the checklist is: on the current item, until
// it is moved. What is remembered is the id of an item.
type listPlace struct {
	moved  bool
	phase  int
	item   string
	scroll int
}

// listPhase is the phase that is shown: the first that is not through, until it
// is changed.
func (m *Model) listPhase() int {
	b := m.board
	if b == nil || m.list.moved {
		return m.list.phase
	}
	// What the verdict brought forward stands on top of every phase.
	last := max(len(b.List)-1, 0)
	for i := range b.List {
		if !b.List[i].Clock.Done && slices.Contains(panes.ListOrder(b, i), b.Item) {
			return i
		}
	}
	return last
}

// listItem is the item under the cursor; empty when the phase shows none.
func (m *Model) listItem() string {
	b := m.board
	if b == nil {
		return ""
	}
	want := m.list.item
	if !m.list.moved {
		want = b.Item
	}
	order := panes.ListOrder(b, m.listPhase())
	if slices.Contains(order, want) {
		return want
	}
	if len(order) > 0 {
		return order[0]
	}
	return ""
}

// listMove moves the cursor, across the end of a phase into the next.
func (m *Model) listMove(by int) {
	phase := m.listPhase()
	order := panes.ListOrder(m.board, phase)
	at := slices.Index(order, m.listItem()) + by
	switch {
	case at >= 0 && at < len(order):
		m.list = listPlace{moved: true, phase: phase, item: order[at]}
	case m.board == nil || phase+by < 0 || phase+by >= len(m.board.List):
		return
	default:
		next := panes.ListOrder(m.board, phase+by)
		m.list = listPlace{moved: true, phase: phase + by}
		if len(next) > 0 && by > 0 {
			m.list.item = next[0]
		} else if len(next) > 0 {
			m.list.item = next[len(next)-1]
		}
	}
	m.touch()
}

// listTurn shows another phase of the checklist.
func (m *Model) listTurn(by int) {
	if m.board == nil || len(m.board.List) == 0 {
		return
	}
	n := len(m.board.List)
	phase := (m.listPhase() + by + n) % n
	m.list = listPlace{moved: true, phase: phase}
	order := panes.ListOrder(m.board, phase)
	for _, id := range order {
		if i, _, _ := itemOf(m.board, id); i != nil && !i.Status.Settled() {
			m.list.item = id
			break
		}
	}
	if m.list.item == "" && len(order) > 0 {
		m.list.item = order[0]
	}
	m.touch()
}

func (m *Model) listEnd(last bool) {
	phase := m.listPhase()
	order := panes.ListOrder(m.board, phase)
	if len(order) == 0 {
		return
	}
	at := 0
	if last {
		at = len(order) - 1
	}
	m.list = listPlace{moved: true, phase: phase, item: order[at]}
	m.touch()
}

// listLeave takes the cursor back to the current item, and from there leads back
// to the planes.
func (m *Model) listLeave() {
	if m.list.moved {
		m.list = listPlace{}
		m.touch()
		return
	}
	m.showView(modePlanes)
}

// itemOf finds an item of the checklist, with its phase and its place in it,
// counted from 1.
func itemOf(b *incident.Board, id string) (*incident.ItemView, *incident.ListView, int) {
	if b == nil || id == "" {
		return nil, nil, 0
	}
	for i := range b.List {
		for j := range b.List[i].Items {
			if v := &b.List[i].Items[j]; v.Item.ID == id {
				return v, &b.List[i], j + 1
			}
		}
	}
	return nil, nil, 0
}

func noItem(m *Model) string {
	if i, _, _ := itemOf(m.board, m.listItem()); i == nil {
		return "no item is under the cursor"
	}
	return ""
}

// cannotTick refuses to work on the item under the cursor.
func cannotTick(m *Model) string {
	if why := cannotAct(m); why != "" {
		return why
	}
	return noItem(m)
}

func cannotUndo(m *Model) string {
	if why := cannotTick(m); why != "" {
		return why
	}
	if i, _, _ := itemOf(m.newest, m.listItem()); i == nil || !i.Done.IsSettled() && i.Done.Act != incident.ItemStarted {
		return "the item is open"
	}
	return ""
}

func cannotCheckItem(m *Model) string {
	if why := cannotCheck(m); why != "" {
		return why
	}
	return noItem(m)
}
