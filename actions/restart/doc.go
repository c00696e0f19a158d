// Package restart is the procedure that restarts what uses a secret: Kubernetes
// workloads and systemd units, so that they take the new value.
//
// Its rules:
//
//   - Who is restarted is found from who consumes the secret: warroom.yaml says it of
//     applications, and the pod templates of every configured cluster say it of
//     workloads. Each is named with why it was found.
//   - Nothing is restarted into an old value: where the value reaches pods by a
//     Kubernetes Secret, that Secret is compared with the store before the plan and
//     again before the restart.
//   - What already runs on the new value is left alone.
//   - A rank is restarted after those on which it depends, a bounded number at once.
//     After the first failure nothing further is started; what is under way is watched
//     to its end.
//   - A restart carries the run's annotation in the pod template. A workload that
//     carries it was restarted by this run and is only watched, so that a step may be
//     done again after a crash.
//   - A service is restarted when its new pods are available, stayed so for the soak,
//     and its health endpoint says so, never because a patch was accepted.
//   - There is no undo: the pods that went would take the same value.
package restart
