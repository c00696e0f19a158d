package estate

// accessMonitor: how authentications failed.
func (d *deriver) accessMonitor() {}
