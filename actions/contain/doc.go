// Package contain keeps a failure of rotation from spreading: it finds the secrets that
// are rotated by the mechanism that fails and are due soon, and takes them off their
// schedules together.
//
// Its rules:
//
//   - What fails next is read from the store itself, for every secret that names the
//     function, listed in warroom.yaml or not.
//   - What was cancelled is tagged at the secret, so that it can be resumed from any
//     console, and nothing else is resumed with it.
package contain
