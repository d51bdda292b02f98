"""From tasks to tokens: the tokenizer, batches drawn online, stored data sets and their collator."""
