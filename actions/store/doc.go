// Package store is a stored secret as a place that keeps versions, and the other
// places that keep copies of it. Every procedure that changes a secret works through
// it.
//
// Its rules:
//
//   - What is read is read fresh: nothing is remembered from one call to the next.
//   - A new value is pending first, and current only when it has been tried. Which
//     version a new value gets is derived from the version that is current, so that
//     two consoles put the same version and the store lets exactly one of them win.
//   - A pending version carries the claim of the run that put it, in the same write.
//     After a crash a run knows its own value by it, and takes nobody else's.
//   - Nothing is deleted but what a run itself made and no longer needs: an earlier
//     value stays in the store, and a copy is put back from there.
//   - Secrets Manager is looked at with the identity for reading. What that identity
//     need not see, values in Vault and in Kubernetes, is read with the identity for
//     changes; that nothing is changed by looking is the permit's to see to.
package store
