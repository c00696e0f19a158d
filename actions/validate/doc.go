// Package validate is the procedure that tries everything once with what the stores
// hold now: every database and API with its current value, every TLS and every health
// endpoint; and it says whether authentication failures fall.
//
// Its rules:
//
//   - It changes nothing: its plan needs no grant.
//   - It ticks nothing. What it found of each is a fact of the run, by name, for
//     whoever looks whether an item of the checklist is fulfilled.
//   - What was not answered is not validated. Only an answer that says yes is one.
//   - A credential version that a system refused is not presented there again for five
//     minutes, whether we or the console's own checks were refused.
//   - That failures do not fall yet fails nothing by itself: their windows still hold
//     the outage.
package validate
