// Package database rotates passwords of PostgreSQL: a whole rotation, the recovery of
// one that got stuck, and asking, stopping and resuming the platform's own.
//
// Its rules:
//
//   - A new password is durable under AWSPENDING before the database learns of it; the
//     database knows it, and every replica, before it is current; it is current
//     before poolers and whoever follows the store are told.
//   - Whatever is needed to go on after a crash is in the facts of the plan: the steps
//     are made from these alone, and every value is read from the store again.
//   - Going back sets the earlier password at the database first, sees that it lets us
//     in, and then moves the labels; a move of labels alone is no way back.
//   - An emergency superuser is used only when no stored password of the user works
//     and nobody else may set it; the plan says so, and a reason is asked for.
package database
