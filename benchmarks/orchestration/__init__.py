"""What Sevenstep costs beside the training itself, next to what one would use instead."""
