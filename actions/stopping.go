package actions

// stopAsked reports whether the run was asked to stop before its next step.
func (r *running) stopAsked() bool {
	r.e.mu.Lock()
	defer r.e.mu.Unlock()
	return r.stopping
}
