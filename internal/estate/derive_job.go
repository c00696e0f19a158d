package estate

// scheduledJob: how a rotation job stands.
func (d *deriver) scheduledJob() {}
