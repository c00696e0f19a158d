package estate

// vaultStored lists how the stored secrets stand that a cluster keeps in its KV
// engine. They count for it as those of Secrets Manager do for that.
func (d *deriver) vaultStored() {
	shown := 0
	for i := range d.t.Secrets {
		item := &d.t.Secrets[i]
		if item.Store != d.c.ID {
			continue
		}
		state := d.secret(item.ID)
		if shown++; shown > listed && state.status == OK {
			continue
		}
		f := state.fact(item.ID)
		if state.seen.ok {
			f.Note = d.secretDetail(state)
		}
		d.add(false, f)
		if f.Status > OK && f.Status != Unknown {
			d.say(f.Status, state.word, item.ID+": "+state.note)
		}
	}
}
