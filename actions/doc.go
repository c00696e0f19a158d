// Package actions is the only place from which anything is changed: the engine that
// plans, asks for a grant, runs and verifies recovery procedures, and the gate
// through which every one of their calls passes. The procedures themselves are its
// subpackages, one each.
//
// Its rules:
//
//   - Nothing is changed without a Grant: it is single-use, bound to the fingerprint
//     of one plan, expires, and is made nowhere else. What the plan rests on is
//     observed again before the first change.
//   - The clients refuse every call that changes something unless its context carries
//     the permit of a running step. Only the engine gives one, for the time of Do and
//     Undo; a probe or a verification cannot change anything by mistake.
//   - The intent of a step is durable before it begins, and its outcome before the
//     next one does. Where that cannot be written, nothing is changed.
//   - A step is done when its verification says so, never because a call returned.
//   - A credential that works is never the only copy in memory: a new one is stored
//     before its target learns of it.
//   - Cancel stops before the next step. After a crash the interrupted step is probed
//     on the live system before anything is offered.
//   - No value of a secret is in a plan, an event, a log line, an error or an argument
//     of a process.
package actions
