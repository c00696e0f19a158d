package estate

// rotationMonitor: how rotations went.
func (d *deriver) rotationMonitor() {}
