// Command echo is a Lambda function for the tests of the local stack. It logs each
// event, and answers requests with what it received.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/aws/aws-lambda-go/lambda"
	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb"
	"github.com/aws/aws-sdk-go-v2/service/dynamodb/types"
)

type event struct {
	Method  string            `json:"httpMethod"`
	Path    string            `json:"path"`
	Headers map[string]string `json:"headers"`
	Body    string            `json:"body"`
	Base64  bool              `json:"isBase64Encoded"`
	Source  string            `json:"source"`
	Records []struct {
		Body string `json:"body"`
	} `json:"Records"`
}

func main() {
	cfg, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		panic(err)
	}
	table := dynamodb.NewFromConfig(cfg)
	lambda.Start(func(ctx context.Context, e event) (any, error) {
		switch {
		case e.Path == "/exit":
			os.Exit(3)
		case e.Path == "/sleep":
			time.Sleep(time.Minute)
		case e.Method != "":
			out := map[string]any{"pid": os.Getpid(), "greeting": os.Getenv("GREETING"), "event": e}
			if e.Path == "/put" {
				_, err := table.PutItem(ctx, &dynamodb.PutItemInput{
					TableName: aws.String(os.Getenv("TABLE")),
					Item:      map[string]types.AttributeValue{"id": &types.AttributeValueMemberS{Value: "x"}},
				})
				if err != nil {
					return nil, err
				}
			}
			body, err := json.Marshal(out)
			return map[string]any{"statusCode": 200, "headers": map[string]string{"Content-Type": "application/json"}, "body": string(body)}, err
		case e.Source == "aws.events":
			fmt.Println("tick")
		}
		now := time.Now().UnixNano()
		bodies := make([]string, 0, len(e.Records))
		for _, r := range e.Records {
			bodies = append(bodies, r.Body)
		}
		line, err := json.Marshal(map[string]any{"at": now, "bodies": bodies})
		fmt.Println(string(line))
		return map[string]any{"batchItemFailures": []string{}}, err
	})
}
