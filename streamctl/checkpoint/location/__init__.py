"""What streamctl keeps around checkpoints: generations, lease, journal."""
