package estate

// vault: how a Vault cluster stands.
func (d *deriver) vault() {}
