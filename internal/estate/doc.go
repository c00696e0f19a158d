// Package estate is the domain: what there is (planes, components, stored
// secrets and the flows between them), what was seen of it (observations in an
// immutable snapshot) and what that means (readings).
//
// Its rules:
//
//   - It is pure. It opens nothing, asks nothing and owns no clock: the time is
//     an argument.
//   - What we saw and what it means are kept apart. An Observation is typed data
//     from one system at one time; a Reading is a function of a snapshot and a
//     time.
//   - Unknown is never OK. What was not read, may not be read or is too old to
//     be believed counts as Unknown, with the reason.
//   - A secret's value exists only inside Secret, which no formatter can open.
package estate
