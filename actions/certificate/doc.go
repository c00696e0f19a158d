// Package certificate renews the certificate of a TLS endpoint: a new key and
// request, a certificate from Vault, an ACME server or itself, the files put in
// place, the server made to read them, and what every address serves looked at.
//
// Its rules:
//
//   - A certificate that is in order is left alone, unless it is asked for anyway.
//   - The private key is made here and never leaves this host but for the stores that
//     are configured to have it. It is in files of mode 0600 only, in a folder of mode
//     0700 beside the files that it will replace, from the moment it exists: what was
//     issued for it survives a crash.
//   - Nothing is installed that was not checked: the key, the names, the chain, the
//     dates and the purpose.
//   - What is replaced is backed up and read back first. Files are replaced by rename,
//     with mode and owner kept, and are put back where the server refuses them.
//   - Success is the new serial number in new handshakes with every address; a
//     resumed session or a health check proves nothing.
//   - Changes to files and commands pass clients.Around, one call each.
package certificate
