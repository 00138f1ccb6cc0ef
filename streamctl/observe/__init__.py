"""What can be seen of a job at one moment, from outside: files, Kafka, processes, disks."""
