package dynamo

import (
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

// In the expressions of this package the placeholder of an attribute is # and its name:
// #due_at is due_at. DynamoDB requires a placeholder for each name that is one of its
// reserved words. The placeholder of a value begins with a colon.

// names returns the attributes that expressions name, by their placeholders; nil for
// none, because DynamoDB refuses an empty map.
func names(expressions ...string) map[string]string {
	var found map[string]string
	for _, e := range expressions {
		for _, after := range strings.Split(e, "#")[1:] {
			name := after
			if end := strings.IndexFunc(after, notInName); end >= 0 {
				name = after[:end]
			}
			if found == nil {
				found = map[string]string{}
			}
			found["#"+name] = name
		}
	}
	return found
}

// notInName reports whether a character ends the name of an attribute.
func notInName(r rune) bool { return r != '_' && (r < 'a' || r > 'z') && (r < '0' || r > '9') }

// optional returns a pointer to an expression; nil for an empty one.
func optional(expression string) *string {
	if expression == "" {
		return nil
	}
	return &expression
}

// put returns the action that writes an item if the stored item meets a condition. An
// empty condition is always met.
func put(table string, it item, condition string, values item) types.TransactWriteItem {
	return types.TransactWriteItem{Put: &types.Put{
		TableName: &table, Item: it, ConditionExpression: optional(condition),
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: values,
	}}
}

// remove returns the action that deletes an item if it meets a condition. An empty
// condition is always met.
func remove(table string, key item, condition string, values item) types.TransactWriteItem {
	return types.TransactWriteItem{Delete: &types.Delete{
		TableName: &table, Key: key, ConditionExpression: optional(condition),
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: values,
	}}
}

// check returns the action that only checks a condition of an item.
func check(table string, key item, condition string, values item) types.TransactWriteItem {
	return types.TransactWriteItem{ConditionCheck: &types.ConditionCheck{
		TableName: &table, Key: key, ConditionExpression: &condition,
		ExpressionAttributeNames: names(condition), ExpressionAttributeValues: values,
	}}
}

// isNew is the condition that there is no item with the key.
const isNew = "attribute_not_exists(#id)"

// sameVersion is the condition that an item has the version that was read.
const sameVersion = "#version = :version"

// update is a change of some attributes of an item. An empty condition is always met.
type update struct {
	table             string
	key               item
	change, condition string
	values            item
}

// action returns the update as an action of a transaction.
func (u update) action() types.TransactWriteItem {
	return types.TransactWriteItem{Update: &types.Update{
		TableName: &u.table, Key: u.key, UpdateExpression: &u.change, ConditionExpression: optional(u.condition),
		ExpressionAttributeNames: names(u.change, u.condition), ExpressionAttributeValues: u.values,
	}}
}

// input returns the update as a call of its own.
func (u update) input() *dynamodb.UpdateItemInput {
	return &dynamodb.UpdateItemInput{
		TableName: &u.table, Key: u.key, UpdateExpression: &u.change, ConditionExpression: optional(u.condition),
		ExpressionAttributeNames: names(u.change, u.condition), ExpressionAttributeValues: u.values,
	}
}

// projected returns the request for items by their keys. With attributes, only those
// are read.
func projected(keys []item, consistent bool, attributes []string) types.KeysAndAttributes {
	places := make([]string, len(attributes))
	for i, attribute := range attributes {
		places[i] = "#" + attribute
	}
	projection := strings.Join(places, ", ")
	return types.KeysAndAttributes{
		Keys: keys, ConsistentRead: aws.Bool(consistent),
		ProjectionExpression: optional(projection), ExpressionAttributeNames: names(projection),
	}
}
