package diagnosis

import "slices"

// table is every sensor, in the order of the workflow.
var table = slices.Concat(assessing, mechanisms, points, listed, lessons)

// assessing are the questions of the first minutes.
var assessing = []sensor{
	{Sensor{"rotation.status", "Do the rotations work?", "no rotation failed in the window, and no secret is stuck or overdue"}, (*senses).rotationStatus},
	{Sensor{"rotation.logs", "What do the failed runs say?", "every log, event and job that would tell was read, whatever it says"}, (*senses).rotationLogs},
	{Sensor{"secrets.failed", "Which secrets fail to rotate?", "failed secrets are known, or all that would tell was read and none failed"}, (*senses).secretsFailed},
	{Sensor{"secrets.dependencies", "Which services live on the failed secrets?", "the failed secrets are known, and every service that uses them was read"}, (*senses).secretsDependencies},
	{Sensor{"secrets.valid", "Does the target still take the value in use?", "AWSCURRENT of the failed secrets, or of all when none failed, is accepted wherever it is tried"}, (*senses).secretsValid},
	{Sensor{"access.emergency", "Which way in does not need the failed secret?", "another account or version opens a target now; where none is tried, a declared fallback"}, (*senses).accessEmergency},
	{Sensor{"rotation.mechanism", "What rotates it, and did that run?", "what rotates each failed secret was read"}, (*senses).rotationMechanism},
	{Sensor{"targets.state", "Do the databases, APIs and certificates answer?", "no database, API, gateway or balancer fails"}, (*senses).targetsState},
	{Sensor{"credential.fate", "Has it expired, is it stuck, or has it leaked?", "a sign of one of the three was read; the verdict is the worst: compromised, stuck, expired"}, (*senses).credentialFate},
}

// mechanisms are what may rotate a secret: of the failed secrets, and of all when
// none failed.
var mechanisms = []sensor{
	{Sensor{"mechanism.automated", "Does a machine of ours rotate it?", "any of the next three is"}, (*senses).mechanismAutomated},
	{Sensor{"mechanism.lambda", "Does a rotation function rotate it?", "the description of the secret names a function"}, (*senses).mechanismLambda},
	{Sensor{"mechanism.scheduled", "Does a schedule start its rotation?", "rotation is enabled with a period or schedule"}, (*senses).mechanismScheduled},
	{Sensor{"mechanism.cron", "Does a cron job or timer rotate it?", "a configured job names it, or names no secret"}, (*senses).mechanismCron},
	{Sensor{"mechanism.manual", "Does a person rotate it?", "any of the next three is"}, (*senses).mechanismManual},
	{Sensor{"mechanism.operator", "Was it changed by hand?", "CloudTrail has a change of it that rotation did not make, or nothing else rotates it"}, (*senses).mechanismOperator},
	{Sensor{"mechanism.emergency", "Did somebody step in after it failed?", "CloudTrail has a change of it by hand from after its rotation failed"}, (*senses).mechanismEmergency},
	{Sensor{"mechanism.breakglass", "Was a break-glass account used?", "CloudTrail has a change by root or by an identity named for break-glass, fire call or emergency"}, (*senses).mechanismBreakglass},
	{Sensor{"mechanism.delegated", "Does the system that owns it rotate it?", "any of the next three is"}, (*senses).mechanismDelegated},
	{Sensor{"mechanism.service", "Does another service own it?", "the description of the secret names an owning service"}, (*senses).mechanismService},
	{Sensor{"mechanism.trigger", "Does a trigger in the database rotate it?", "never: no check reads triggers"}, (*senses).mechanismTrigger},
	{Sensor{"mechanism.application", "Does an application rotate its own secret?", "CloudTrail has a change of it by an identity that carries an application's id"}, (*senses).mechanismApplication},
	{Sensor{"mechanism.integrated", "Does the store or the provider rotate it?", "any of the next three is"}, (*senses).mechanismIntegrated},
	{Sensor{"mechanism.vault", "Does Vault rotate it?", "a static role is stuck; when no secret failed, there are static roles"}, (*senses).mechanismVault},
	{Sensor{"mechanism.cloud", "Does the provider rotate it?", "rotation is enabled without a function"}, (*senses).mechanismCloud},
	{Sensor{"mechanism.ca", "Does a certificate authority renew it?", "a failed secret is a certificate, or a served certificate ended, was revoked or fails to renew"}, (*senses).mechanismCA},
}

// points are where a rotation may fail. What a failed run said counts until a run
// succeeds.
var points = []sensor{
	{Sensor{"failure.network", "Does the rotation not get there?", "any of the next three is"}, (*senses).failureNetwork},
	{Sensor{"network.timeout", "Is there no answer in time?", "a failed run timed out, or a store or target gives us no answer"}, (*senses).networkTimeout},
	{Sensor{"network.firewall", "Is something in between closed?", "a rule of the network was changed and something gets no answer, or a run says so"}, (*senses).networkFirewall},
	{Sensor{"network.dns", "Does a name not resolve?", "a failed run says so, or the name of a store or target does not resolve for us"}, (*senses).networkDNS},
	{Sensor{"failure.permission", "May the rotation not do it?", "any of the next three is"}, (*senses).failurePermission},
	{Sensor{"permission.role", "Is a role gone or wrong?", "the rotation's role is missing or lacks an action, or the database role is missing or may not log in"}, (*senses).permissionRole},
	{Sensor{"permission.denied", "Is a call denied?", "a failed run or a change of a failed secret was denied"}, (*senses).permissionDenied},
	{Sensor{"permission.policy", "Does another policy say no?", "a policy denies by name, the function may not be invoked, a key is not enabled, or pg_hba.conf does not admit"}, (*senses).permissionPolicy},
	{Sensor{"failure.target", "Can the target not take it?", "any of the next three is"}, (*senses).failureTarget},
	{Sensor{"target.database", "Is a database down, full or read-only?", "a database takes no connection, has none left, or is a replica where a primary should be; or a run says so"}, (*senses).targetDatabase},
	{Sensor{"target.ratelimit", "Does an API limit its rate?", "an API has no calls left, the function was throttled, or a run says so"}, (*senses).targetRateLimit},
	{Sensor{"target.service", "Is a service on the way down?", "an API, a Vault or the function itself does not serve, or a run says so"}, (*senses).targetService},
	{Sensor{"failure.state", "Do store, target and consumers disagree?", "any of the next three is"}, (*senses).failureState},
	{Sensor{"state.partial", "Did a change stop half way?", "a version stays under AWSPENDING, or a target takes it already"}, (*senses).statePartial},
	{Sensor{"state.rollback", "Is there nothing to go back to?", "a database takes none of the stored versions, or a run tells of a roll-back"}, (*senses).stateRollback},
	{Sensor{"state.inconsistent", "Do copies differ?", "a store, replica, target or consumer has another version than the one in use"}, (*senses).stateInconsistent},
}

// listed are what the items of the checklist ask.
var listed = []sensor{
	{Sensor{"secrets.identified", "Is every failed secret named?", "all that tells of rotations was read"}, (*senses).secretsIdentified},
	{Sensor{"secrets.expiry", "When does each failed secret end?", "the end and the grace of every failed secret were read"}, (*senses).secretsExpiry},
	{Sensor{"secrets.tested", "Was the value of each failed secret tried?", "every failed secret was tried at its targets, whatever came of it"}, (*senses).secretsTested},
	{Sensor{"impact.assessed", "What is down, and how many are refused?", "every service and every count of logins was read"}, (*senses).impactAssessed},
	{Sensor{"network.stores", "Is every secret store reached?", "every Vault and every account's Secrets Manager answers, and no Vault is sealed"}, (*senses).networkStores},
	{Sensor{"permission.validated", "Is the rotation denied nothing?", "the three permission sensors speak against a failure"}, (*senses).permissionValidated},
	{Sensor{"changes.reviewed", "What changed since the last good rotation?", "all changes since then were read"}, (*senses).changesReviewed},
	{Sensor{"targets.examined", "Were state, limits and settings of targets read?", "they were, whatever they are"}, (*senses).targetsExamined},
	{Sensor{"stores.consumers", "With which version does each consumer work?", "the version of every application is known"}, (*senses).storesConsumers},
	{Sensor{"secrets.rotated", "Is every secret rotated?", "all that tells of rotations was read, and no secret fails"}, (*senses).secretsRotated},
	{Sensor{"stores.updated", "Is every store and replica on the version in use?", "secrets, replicas, copies and targets were read and none is behind"}, (*senses).storesUpdated},
	{Sensor{"services.restarted", "Is nobody on an old version?", "applications, pods and database sessions are newer than the last rotation"}, (*senses).servicesRestarted},
	{Sensor{"secrets.validated", "Do all targets take the new value?", "AWSCURRENT of every watched secret is accepted wherever it is tried, and none waits under AWSPENDING"}, (*senses).secretsValidated},
	{Sensor{"auth.recovering", "Are refused logins back to normal?", "every count is below the share, or the multiple of what was usual, that warns"}, (*senses).authRecovering},
}

// lessons are past incidents whose likes these are.
var lessons = []sensor{
	{Sensor{"lesson.rotation", "Does a rotation function fail on a database?", "the function of a database's secret fails, and the secret is stuck or overdue"}, (*senses).lessonRotation},
	{Sensor{"lesson.seal", "Is a Vault sealed?", "one is"}, (*senses).lessonSeal},
	{Sensor{"lesson.revocation", "Did certificates end, or are they not renewed?", "a served certificate ended, was revoked or fails to renew"}, (*senses).lessonRevocation},
}
