package estate

// secretStore: how what is stored is protected.
func (d *deriver) secretStore() {}
