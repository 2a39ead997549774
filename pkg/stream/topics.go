package stream

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
)

// PartitionsError says that topics exist with another number of partitions than
// the tasks have. The number can't be changed: a key would go to another task
// than the one that has its state.
type PartitionsError struct {
	Topic        string
	Have, Wanted int32
}

func (e *PartitionsError) Error() string {
	return fmt.Sprintf("topic %s has %d partitions, not %d, and their number is for good: another would send customers to tasks that don't have their states",
		e.Topic, e.Have, e.Wanted)
}

// CreateTopics makes the topics that don't exist, with the settings that their
// use asks for, and returns when every partition of every topic has a leader.
// The topics of the tasks get this number of partitions, and must have it where
// they exist, else the error is a *PartitionsError; a raw topic that exists may
// have any number, and its dead letters are made with as many.
// replication -1 takes the brokers' default.
//
// A topic that exists is left as it is, but where its cleanup policy is wrong
// for its use, which loses data without a word, that is an error.
func (c *Client) CreateTopics(ctx context.Context, partitions int32, replication int) error {
	if partitions < 1 {
		return fmt.Errorf("creating topics: %d partitions", partitions)
	}
	wanted := c.topicConfigs(partitions, replication)
	found, err := c.describe(ctx, c.config.Topics.all())
	if err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	var missing []kafka.TopicConfig
	var wrong []error
	for _, t := range wanted {
		state := found[t.Topic]
		switch {
		case errors.Is(state.err, kafka.UnknownTopicOrPartition):
			missing = append(missing, t)
		case state.err != nil && meaningOf(state.err) == meansStop:
			wrong = append(wrong, fmt.Errorf("topic %s: %w", t.Topic, state.err))
		case state.err == nil && c.ofTasks(t.Topic) && len(state.leaders) != int(partitions):
			wrong = append(wrong, &PartitionsError{Topic: t.Topic, Have: int32(len(state.leaders)), Wanted: partitions})
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	if err := c.create(ctx, missing); err != nil {
		return fmt.Errorf("creating topics: %w", err)
	}
	if err := c.AwaitTopics(ctx, partitions); err != nil {
		return err
	}
	return c.checkPolicies(ctx, wanted)
}

// AwaitTopics returns when every partition of every topic has a leader, or a
// *PartitionsError, or what was missing when ctx ended.
func (c *Client) AwaitTopics(ctx context.Context, partitions int32) error {
	names := c.config.Topics.all()
	for {
		problem := func() error {
			found, err := c.describe(ctx, names)
			if err != nil {
				return err
			}
			for _, name := range names {
				if err := found[name].ready(); err != nil {
					return fmt.Errorf("topic %s: %w", name, err)
				}
				if n := len(found[name].leaders); c.ofTasks(name) && n != int(partitions) {
					return &PartitionsError{Topic: name, Have: int32(n), Wanted: partitions}
				}
			}
			return nil
		}()
		if problem == nil {
			return nil
		}
		var mismatch *PartitionsError
		if errors.As(problem, &mismatch) || meaningOf(problem) == meansStop {
			return fmt.Errorf("waiting for topics: %w", problem)
		}
		pause(ctx, 50*time.Millisecond)
		if ctx.Err() != nil {
			return fmt.Errorf("waiting for topics: %w: %w", problem, ctx.Err())
		}
	}
}

// create makes topics; one that somebody else makes at the same time is fine.
func (c *Client) create(ctx context.Context, topics []kafka.TopicConfig) error {
	if len(topics) == 0 {
		return nil
	}
	return c.retry(ctx, 6*c.config.RequestTimeout, func(ctx context.Context) error {
		response, err := c.client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: topics})
		if err != nil {
			return err
		}
		var problems []error
		for name, err := range response.Errors {
			if err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
				problems = append(problems, fmt.Errorf("topic %s: %w", name, err))
			}
		}
		return errors.Join(problems...)
	})
}

// ofTasks says whether a topic is bound to the tasks' number of partitions. The
// dead letters of the tasks are: a task writes to the partition of its number.
func (c *Client) ofTasks(topic string) bool {
	t := c.config.Topics
	switch topic {
	case t.Events, t.Updates, t.Churn, t.State, DeadLetterTopic(t.Events):
		return true
	default:
		return false
	}
}

const (
	compact = "compact"
	deletes = "delete"
	// appendTime has brokers set the timestamps: nobody's clock, and no business
	// time, decides what retention deletes.
	appendTime = "LogAppendTime"
	createTime = "CreateTime"
)

// topicConfigs is how each topic is made.
func (c *Client) topicConfigs(partitions int32, replication int) []kafka.TopicConfig {
	t, keep := c.config.Topics, c.config.Retention
	maxBytes := strconv.Itoa(max(2<<20, c.config.BatchBytes+2*headroomBytes))
	topic := func(name, policy, stamp string, retention time.Duration) kafka.TopicConfig {
		ms := int64(-1) // for ever; it is also said of compacted topics, which some brokers delete from
		if retention > 0 {
			ms = retention.Milliseconds()
		}
		entries := []kafka.ConfigEntry{
			{ConfigName: "cleanup.policy", ConfigValue: policy},
			{ConfigName: "retention.ms", ConfigValue: strconv.FormatInt(ms, 10)},
			{ConfigName: "message.timestamp.type", ConfigValue: stamp},
			{ConfigName: "max.message.bytes", ConfigValue: maxBytes},
		}
		return kafka.TopicConfig{Topic: name, NumPartitions: int(partitions), ReplicationFactor: replication, ConfigEntries: entries}
	}
	decisions := topic(t.Decisions, deletes, appendTime, 0)
	decisions.NumPartitions = 1 // few records, and one order of them
	return []kafka.TopicConfig{
		topic(t.Calls, deletes, appendTime, keep.Raw),
		topic(DeadLetterTopic(t.Calls), deletes, appendTime, keep.Raw),
		topic(t.Billing, deletes, appendTime, keep.Raw),
		topic(DeadLetterTopic(t.Billing), deletes, appendTime, keep.Raw),
		topic(t.Events, deletes, appendTime, keep.Events),
		topic(DeadLetterTopic(t.Events), deletes, appendTime, keep.Raw),
		topic(t.Updates, compact, createTime, 0),
		topic(t.Churn, deletes, appendTime, keep.Churn),
		topic(t.State, compact, createTime, 0),
		decisions,
	}
}

// checkPolicies refuses topics that are compacted where every record counts, or
// deleted by time where the last record of a key counts.
func (c *Client) checkPolicies(ctx context.Context, wanted []kafka.TopicConfig) error {
	request := &kafka.DescribeConfigsRequest{}
	policy := make(map[string]string)
	for _, t := range wanted {
		policy[t.Topic] = t.ConfigEntries[0].ConfigValue
		request.Resources = append(request.Resources, kafka.DescribeConfigRequestResource{
			ResourceType: kafka.ResourceTypeTopic, ResourceName: t.Topic, ConfigNames: []string{"cleanup.policy"},
		})
	}
	var response *kafka.DescribeConfigsResponse
	err := c.retry(ctx, 6*c.config.RequestTimeout, func(ctx context.Context) error {
		var err error
		if response, err = c.client.DescribeConfigs(ctx, request); err != nil {
			return err
		}
		for _, r := range response.Resources {
			// Any broker may answer, and one of many hears of new topics later than others.
			if meaningOf(r.Error) == meansNotNow {
				return fmt.Errorf("topic %s: %w", r.ResourceName, r.Error)
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("reading the settings of topics: %w", err)
	}
	var wrong []error
	for _, r := range response.Resources {
		if r.Error != nil {
			if errors.Is(r.Error, kafka.TopicAuthorizationFailed) || errors.Is(r.Error, kafka.ClusterAuthorizationFailed) {
				continue // not ours to see
			}
			wrong = append(wrong, fmt.Errorf("settings of topic %s: %w", r.ResourceName, r.Error))
			continue
		}
		for _, e := range r.ConfigEntries {
			if e.ConfigName == "cleanup.policy" && strings.TrimSpace(e.ConfigValue) != policy[r.ResourceName] {
				wrong = append(wrong, fmt.Errorf("topic %s has cleanup.policy %q, not %q", r.ResourceName, e.ConfigValue, policy[r.ResourceName]))
			}
		}
	}
	return errors.Join(wrong...)
}
