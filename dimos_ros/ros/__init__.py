"""Small ROS tools that rclpy lacks; they know rclpy and nothing else of this package."""
