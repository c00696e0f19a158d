// Package apikey rotates keys of somebody else's API: with two keys that overlap, so
// that at every moment some stored key works. It has five procedures: rotate-api-key
// up to the moment in which the store hands out the new key, revoke-api-key, the end
// of the old one, so that the restarts of consumers come in between, and the three
// ways out where that does not go: use-backup-key, ask-provider and retry-api-key.
//
// Its rules:
//
//   - A provider is known by its calls in warroom.yaml alone. What it answers is one of
//     six: it works, it is refused, forbidden, limited, the provider has trouble, or
//     nothing came. Only the first is yes, and only the second is a no to the key.
//   - A value stands in headers and bodies only, never in a URL, an error, a fact or a
//     line. It is known to the redact nets before anything else looks at it.
//   - A new key is stored, pending, before anybody uses it. What a crash between its
//     creation and its storing leaves behind at the provider is found by the name that
//     the plan gave it, and ended.
//   - No placeholder becomes a key: what is empty, a dummy, the current key, or much
//     shorter than it is refused, and so is what the provider does not take.
//   - An old key is ended only while every consumer is known to be on the new one, and
//     the provider did not see it used lately. Forcing it needs a reason, an accepted
//     warning, and the measure that helps those who lose it.
package apikey
