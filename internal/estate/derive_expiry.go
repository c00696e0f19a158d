package estate

// secretMonitor: which secrets expire.
func (d *deriver) secretMonitor() {}
