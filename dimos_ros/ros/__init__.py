"""Small ROS tools that rclpy lacks. They know nothing of modules, blueprints or containers."""
