package task

// Rule is a rule of the protocol that can be switched off, so that the
// simulation can show that it would notice: a test that can't fail proves
// nothing. Nothing but test/sim sets Config.Off.
type Rule uint64

// The rules, each with what it prevents.
const (
	// RuleCompareAtLoad: states of a Redis that moved reach an output.
	RuleCompareAtLoad Rule = 1 << iota
	// RuleSameBytes: a batch of an earlier attempt stands in place of another
	// with the same sequence, because Kafka compares ranges, not contents.
	RuleSameBytes
	// RuleOutputsFirst: a crash after the commit loses the outputs.
	RuleOutputsFirst
	// RuleInitBeforeOpen: the token isn't yet the newest when Redis learns it.
	RuleInitBeforeOpen
	// RuleKeepCacheByOpen: another owner came and went between the read and OPEN.
	RuleKeepCacheByOpen
	// RuleIdleCheck: an idle owner never notices that Redis went back.
	RuleIdleCheck
	// RuleCompareCRC: the log was replaced under Redis.
	RuleCompareCRC
	// RuleAwaitReplicas: a failover forgets OPEN and revives the former owner.
	RuleAwaitReplicas
	// RuleReopen: Kafka forgets the transactional id, and the old epoch isn't
	// fenced any more.
	RuleReopen
	// RuleRefuseNewerFold: an older program mixes its arithmetic in.
	RuleRefuseNewerFold
	// RuleRefusePartitions: customers change their partition.
	RuleRefusePartitions
	// RuleRewindOnCommit: a commit that wasn't applied is taken for one that was.
	RuleRewindOnCommit
	// RuleOffsetLast: an interrupted rebuild passes for a complete one.
	RuleOffsetLast
	// RuleClearBeforeRebuild: what an interrupted rebuild left is counted twice.
	RuleClearBeforeRebuild
	// RuleRebuildNeedsInput: a rebuild goes on over a hole in the log.
	RuleRebuildNeedsInput
	// RuleRepair: an output of before Redis went back stands, in the topic, before
	// an older version that nobody follows up.
	RuleRepair
	// RuleOffsetOfSnapshot: a checkpoint claims states that were changed after
	// their turn.
	RuleOffsetOfSnapshot
	// RuleParametersOfSnapshot: a replay begins with parameters of later.
	RuleParametersOfSnapshot
	// RuleScanDirty: what the former owner had not yet saved is never saved.
	RuleScanDirty
	// RuleCheckpointLast: the task points to a checkpoint that isn't complete.
	RuleCheckpointLast
	// RuleDeadLetter: a record that can't be taken in vanishes.
	RuleDeadLetter
	// RuleRecordedAtBound: one wrong clock moves a customer's time for good.
	RuleRecordedAtBound
	// RuleKeyOfEvent: a customer gets a state in a second partition.
	RuleKeyOfEvent
	// RuleChurnEach: a change of band between two batch borders is never told.
	RuleChurnEach
	// RuleByVersion: what an output says depends on batch borders.
	RuleByVersion
	// RuleSumsByDifference: sums drift from the states.
	RuleSumsByDifference
	// RuleDueTrimLast: a crash forgets silent customers.
	RuleDueTrimLast
	// RuleClockGreatest: time goes back.
	RuleClockGreatest
	// RuleRepeatParameters: a partition that a publisher missed stays behind.
	RuleRepeatParameters
	// RuleCheckOverflow: a sum wraps around.
	RuleCheckOverflow
	numRulesEnd
)

// AllRules lists the rules with their names, for the simulation.
var AllRules = []struct {
	Rule Rule
	Name string
}{
	{RuleCompareAtLoad, "compare position at load"},
	{RuleSameBytes, "same bytes, same sequence until answered"},
	{RuleOutputsFirst, "outputs before commit"},
	{RuleInitBeforeOpen, "InitProducerID before OPEN"},
	{RuleKeepCacheByOpen, "keep the cache by what OPEN found"},
	{RuleIdleCheck, "idle owner compares its position"},
	{RuleCompareCRC, "compare the CRC of the last record"},
	{RuleAwaitReplicas, "await replicas after OPEN"},
	{RuleReopen, "reopen before Kafka forgets the id"},
	{RuleRefuseNewerFold, "refuse a task of a newer fold"},
	{RuleRefusePartitions, "refuse another number of partitions"},
	{RuleRewindOnCommit, "REWIND and FENCED end the batch"},
	{RuleOffsetLast, "rebuild writes the offset last"},
	{RuleClearBeforeRebuild, "rebuild deletes what is there"},
	{RuleRebuildNeedsInput, "rebuild refuses where input is gone"},
	{RuleRepair, "rebuild has repeated what an earlier Redis repeated in part"},
	{RuleOffsetOfSnapshot, "checkpoint has the offset of its start"},
	{RuleParametersOfSnapshot, "checkpoint has the parameters of its start"},
	{RuleScanDirty, "new owner scans for unsaved keys"},
	{RuleCheckpointLast, "checkpoint record after its states"},
	{RuleDeadLetter, "dead-letter what can't be taken in"},
	{RuleRecordedAtBound, "recorded_at within tolerance"},
	{RuleKeyOfEvent, "record key is the event's"},
	{RuleChurnEach, "a churn record for each change of band"},
	{RuleByVersion, "outputs are defined between versions"},
	{RuleSumsByDifference, "sums change by new less old contribution"},
	{RuleDueTrimLast, "append Reassess before the trim"},
	{RuleClockGreatest, "the greatest clock counts"},
	{RuleRepeatParameters, "repeat parameters to every partition"},
	{RuleCheckOverflow, "check sums before composing"},
}

// holds tells whether a rule is in force: always, outside the simulation.
func (m *Machine) holds(r Rule) bool { return m.config.Off&r == 0 }
